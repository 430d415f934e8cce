"""A pod whose rows and labels are counted by the sidecar's own code, and reported as it reports them.

Not here: the rows, and what reports are good for.
"""

from collections.abc import Mapping
from typing import Any

from mlmodel_contract import VERSION
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.report import MonitorReportSpec, RowCounts
from model_server.monitor.counting import RowCounter
from model_server.monitor.labels import ScoredLabels
from model_server.monitor.scoring import Scorer

from benchmarks.drift.detection_pipeline import Floats


class SimulatedPod:
    """Has counted nothing at first; ``model`` and ``version`` are what its reports name."""

    def __init__(self, known: Profile, schema: BundleSchema, model: str, version: str) -> None:
        self._profile = known
        self._names = {"model": model, "version": version}
        self._counter = RowCounter(known, schema)
        self._scorer = Scorer(schema, known.loss)
        self._labels = ScoredLabels.empty(schema, self._scorer)
        self._rows = 0

    def count(self, columns: Mapping[str, Any], probabilities: Floats) -> None:
        """Count rows, whose labels are due."""
        self._counter.update(columns, probabilities)
        self._rows += len(probabilities)

    def label(self, probability: float, truth: bool, group: int) -> None:
        """Score the label of a row of that group, of which ``probability`` was predicted."""
        label = {"id": "", "version": self._names["version"], "values": [probability], "groups": [group], "truth": truth}
        self._labels = self._labels.add(label, self._scorer) or self._labels  # type: ignore[arg-type]

    def report(self, sequence: int, time: str) -> MonitorReportSpec:
        """Return all that was counted so far."""
        return MonitorReportSpec(
            contract=VERSION,
            **self._names,
            sequence=sequence,
            time=time,
            rows=RowCounts(served=self._rows, counted=self._rows, captured=self._rows, due=self._rows),
            features=self._counter.features(),
            correlations=self._profile.correlations,
            products=self._counter.products,
            labels=self._labels.total,
            groups=list(self._labels.groups),
            loss_reference=self._profile.loss,
        )
