"""The product's own chain from rows to verdicts: the trainer's profile, the sidecar's counts, the operator's detector.

Not here: any stream.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.report import PREDICTION, LossReference
from mlmodel_detection import Bucket, CorrelationReference, DriftDetector, DriftState, DriftVerdict, FeatureReference
from model_server.binning.cycles import CycleRemover
from model_server.binning.slots import FeatureBinner
from model_server.monitor.counting import ProductSums, RowCounter
from model_server.train.data.training_rows import TrainingRows
from model_server.train.profile import profile
from numpy.typing import NDArray

Values = NDArray[np.float64] | list[str]
Floats = NDArray[np.float64]

_NO_LOSS = LossReference(rows=1, mean=0, variance=0)


@dataclass(frozen=True)
class Alarm:
    """The row at which drift was confirmed, and the features that are named with what changed."""

    row: int
    features: tuple[str, ...]
    changes: tuple[str, ...]
    since: str


@dataclass(frozen=True)
class BinnedRows:
    """Rows by cell (rows x features), and the location scores of the features that have some (rows x features with scores)."""

    cells: NDArray[np.int64]
    scores: Floats

    def select(self, rows: NDArray[np.int64] | slice) -> "BinnedRows":
        """Return some of the rows."""
        return BinnedRows(self.cells[rows], self.scores[rows])


class DetectionPipeline:
    """A profile, and what is needed to count rows by it and to test them for drift."""

    def __init__(
        self,
        schema: BundleSchema,
        train: Mapping[str, Values],
        predictions: Floats,
        level: float,
        tolerance: float,
        *,
        seconds: Floats | None = None,
    ) -> None:
        columns = {
            column.name: np.array(train[column.name], dtype=object if column.type is ColumnType.CATEGORY else np.float64)
            for column in schema.features
        }
        self.schema = schema
        self.level, self.tolerance = level, tolerance
        self.profile: Profile = profile(schema, TrainingRows(columns, np.zeros(len(predictions)), seconds), predictions, _NO_LOSS)
        self.references = tuple(FeatureReference.from_counts(one) for one in self.counter().features())
        known = self.profile.correlations
        self._correlations = CorrelationReference.from_counts(known) if known else None
        self._starts = np.cumsum([0, *(len(one.counts) for one in self.profile.features)])

    def detector(self) -> DriftDetector:
        """Return a detector before its first row."""
        return DriftDetector(self.references, self.level, self.tolerance, self._correlations)

    def counter(self) -> RowCounter:
        """Return a sidecar's counter."""
        return RowCounter(self.profile, self.schema)

    def bin_rows(self, columns: Mapping[str, Values], predictions: Floats, seconds: Floats | None = None) -> BinnedRows:
        """Return each row's cells and scores, by the sidecar's own code."""
        binner = FeatureBinner(self.profile.features)
        apart = CycleRemover(self.profile.features).remove({**columns, PREDICTION: predictions[:, 0]}, seconds)
        slots = binner.digitize(apart, len(predictions))
        return BinnedRows(slots.T, ProductSums(self.profile, binner).scores(slots).T.astype(np.float64))

    def bucket(self, rows: BinnedRows) -> Bucket:
        """Count rows as a sidecar does; a test compares it with ``RowCounter``."""
        cells = np.bincount(rows.cells.ravel(), minlength=self._starts[-1])
        first, second = np.triu_indices(rows.scores.shape[1], 1)
        products = (rows.scores.T @ rows.scores)[first, second].astype(np.int64)
        return Bucket(len(rows.cells), tuple(cells.tolist()), tuple(products.tolist()))

    def first_alarm(self, rows: BinnedRows, size: int) -> Alarm | None:
        """Return the first alarm on these rows, in buckets of this size; None if there is none."""
        for row, verdict in self.verdicts(rows, size):
            if verdict.state is DriftState.CONFIRMED:
                changed = verdict.features
                return Alarm(
                    row,
                    tuple(one.name for one in changed),
                    tuple(one.change for one in changed),
                    min((one.since for one in changed), key=int, default=str(row - size)),
                )
        return None

    def verdicts(self, rows: BinnedRows, size: int) -> Iterator[tuple[int, DriftVerdict]]:
        """Yield, after each bucket of this size, the number of rows so far, and the verdict on them."""
        detector = self.detector()
        for start in range(0, len(rows.cells) - size + 1, size):
            yield start + size, detector.update(self.bucket(rows.select(slice(start, start + size))), str(start))
