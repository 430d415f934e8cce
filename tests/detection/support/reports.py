"""Reports, streams and settings that the tests of detection share; all random numbers are seeded.

Not here: any test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from mlmodel_contract import VERSION
from mlmodel_contract.manifest import Criterion
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import (
    LARGEST_LOG_LOSS,
    MICRO,
    SCORE_BINS,
    FeatureCounts,
    FeatureKind,
    GroupCounts,
    LabelCounts,
    LossReference,
    MonitorReportSpec,
    RowCounts,
)
from mlmodel_detection import MonitoringSettings
from numpy.typing import NDArray
from scipy.stats import norm

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
VERSION_NAME = "flights-v3"
SETTINGS = MonitoringSettings(VERSION_NAME, (Criterion(metric=Metric.ROC_AUC, min=0.7), Criterion(metric=Metric.LOG_LOSS, max=0.7)))
LOSS = LossReference(rows=5_000, mean=0.5, variance=0.25, design_effect=1.0)

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Feature:
    """A feature of a made-up model: the probabilities that rows fall into its slots, and its training rows by slot."""

    name: str
    kind: FeatureKind
    probabilities: NDArray[np.float64]
    reference: Counts

    def draw(self, random: np.random.Generator, rows: int) -> Counts:
        """Draw live rows by slot."""
        return random.multinomial(rows, self.probabilities)


def normal_slots(shift: float = 0.0, spread: float = 1.0, missing: float = 0.01) -> NDArray[np.float64]:
    """Probabilities of a normal number in 36 bins whose edges are a standard normal's quantiles, and of a missing one."""
    edges = norm.ppf(np.r_[0.001, 0.01, np.arange(1, 32) / 32, 0.99, 0.999])
    cumulative = np.r_[0, norm.cdf((edges - shift) / spread), 1]
    return np.append(np.diff(cumulative) * (1 - missing), missing)


def features(random: np.random.Generator, numbers: int = 3, rows: int = 10_000) -> list[Feature]:
    """Some numbers, a category with rare values, and the prediction, with their training rows drawn."""
    zipf = 1 / np.arange(1, 13)
    made = [(f"x{index}", FeatureKind.NUMERIC, normal_slots()) for index in range(numbers)]
    made += [("carrier", FeatureKind.CATEGORICAL, zipf / zipf.sum()), ("prediction", FeatureKind.NUMERIC, normal_slots(missing=0.0))]
    return [Feature(name, kind, slots, random.multinomial(rows, slots)) for name, kind, slots in made]


def millionths(values: NDArray[np.float64]) -> int:
    """The sum in whole millionths; Python's integers do not overflow."""
    return sum(round(float(value) * MICRO) for value in values)


def labels(losses: NDArray[np.float64]) -> LabelCounts:
    """Label counts of rows with these losses, whatever was predicted."""
    return LabelCounts(rows=len(losses), loss=millionths(losses), loss_squared=millionths(losses**2))


def scored(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> LabelCounts:
    """Label counts of a binary classification as a sidecar makes them."""
    likely = np.where(truth, probability, 1 - probability)
    counts = labels(np.minimum(-np.log(np.maximum(likely, 1e-300)), LARGEST_LOG_LOSS))
    bins = np.minimum((probability * SCORE_BINS).astype(int), SCORE_BINS - 1)
    return counts.model_copy(
        update={
            "correct": int(((probability >= 0.5) == truth).sum()),
            "squared_error": millionths((probability - truth) ** 2),
            "scores_of_negatives": np.bincount(bins[~truth], minlength=SCORE_BINS).tolist(),
            "scores_of_positives": np.bincount(bins[truth], minlength=SCORE_BINS).tolist(),
        }
    )


def numbers(truth: NDArray[np.float64], predicted: NDArray[np.float64], unit: float = 1.0, center: float = 0.0) -> LabelCounts:
    """Label counts of a regression as a sidecar makes them."""
    error, truth = (predicted - truth) / unit, (truth - center) / unit
    return labels(error**2).model_copy(
        update={
            "squared_error": millionths(error**2),
            "absolute_error": millionths(np.abs(error)),
            "truth": millionths(truth),
            "truth_squared": millionths(truth**2),
        }
    )


def report(
    made: Sequence[Feature],
    live: Sequence[Counts],
    sequence: int,
    counted: LabelCounts | None = None,
    groups: Mapping[tuple[str, str], LabelCounts] | None = None,
) -> MonitorReportSpec:
    """A pod's report with these cumulative rows by slot."""
    rows = int(live[0].sum())
    return MonitorReportSpec(
        contract=VERSION,
        model="flights",
        version=VERSION_NAME,
        sequence=sequence,
        time="2024-05-01T12:00:00Z",
        rows=RowCounts(served=rows, counted=rows, captured=rows, due=rows),
        features=[
            FeatureCounts(name=feature.name, kind=feature.kind, reference=feature.reference.tolist(), live=cells.tolist())
            for feature, cells in zip(made, live, strict=True)
        ],
        labels=counted or LabelCounts(),
        groups=[GroupCounts(column=column, value=value, labels=counts) for (column, value), counts in (groups or {}).items()],
        loss_reference=LOSS,
    )
