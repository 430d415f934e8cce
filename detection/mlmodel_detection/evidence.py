"""The evidence: all that was counted of one version so far and the detectors' states, stored as text in the version's status.

The names of all fields are a file format. Not here: which reports are counted (``merging.py``), and the verdict (``verdict.py``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from mlmodel_contract.packing import PackedText
from mlmodel_contract.report import LossReference, MonitorReportSpec

from .counts import LABELS, ROWS, ReportCounts, zero_counts
from .drift.change_points import most_candidates, scales_for
from .drift.detector_state import DriftDetectorState
from .feed import WINDOWS, FeedDetectorState
from .harm.detector import HarmDetectorState
from .harm.maturity import JudgedLabels
from .recent import Recent, by_stretch, recent_rows
from .references import CorrelationReference, FeatureReference

MOST_COUNTS = 150_000
"""Whole numbers that surely fit into the status, whose evidence may have 1,000,000 characters; further pods are not counted."""

Group = tuple[str, str]
"""A group of rows whose labels are counted apart: the column of the objective's slices, and the rows' value there."""


@dataclass(frozen=True)
class PodReportCounts:
    """The last report of a pod that was counted; ``has_recent`` says that the report has recent rows, which the evidence does not have."""

    sequence: int
    tally: ReportCounts
    has_recent: bool = False


@dataclass(frozen=True)
class Evidence:
    """Counts of all pods that ever reported, bookkeeping of those that still may, and the states of the detectors.

    ``total.cells`` is always empty: the rows by slot are the drift detector's own. ``departed`` are the recent rows of pods that are gone.
    ``judged`` is None before the first report, at a restart, and in evidence of 0.1, where labels were judged as they came. ``format``
    changes with the meaning of any field.
    """

    format: Literal[3] = 3
    features: tuple[FeatureReference, ...] = ()
    correlations: CorrelationReference | None = None
    loss_reference: LossReference | None = None
    groups: tuple[Group, ...] = ()
    pods: Mapping[str, PodReportCounts] = field(default_factory=dict)
    total: ReportCounts = field(default_factory=zero_counts)
    departed: tuple[Recent, ...] = ()
    judged: JudgedLabels | None = None
    drift: DriftDetectorState | None = None
    harm: HarmDetectorState = field(default_factory=HarmDetectorState)
    quality: FeedDetectorState | None = None
    drift_since: str | None = None

    @classmethod
    def unpack(cls, text: str | None) -> "Evidence":
        """Return the evidence that ``pack`` made the text of; of no text, evidence of nothing.

        Raises:
            ValueError: the text is damaged or of another format.

        """
        if not text:
            return cls()
        try:
            evidence = _PACKED.unpack(text)
            evidence.check()
        except ValueError as error:
            raise ValueError(
                "status.evidence of the ModelVersion is damaged or of another format: remove it, and monitoring of this version starts anew"
            ) from error
        judged = JudgedLabels(evidence.total.labels) if evidence.features else None
        return replace(evidence, judged=evidence.judged or judged)

    def pack(self) -> str:
        """Return the evidence as text, exactly: base64 of deflated JSON."""
        return _PACKED.pack(self)

    def forget(self, pods: Collection[str]) -> "Evidence":
        """Drop the bookkeeping of pods whose report is deleted and will not come again; what they counted stays counted."""
        return replace(self, pods={pod: counted for pod, counted in self.pods.items() if pod not in pods})

    def depart(self, reports: Mapping[str, MonitorReportSpec]) -> "Evidence":
        """Keep the recent rows of pods that are gone, by the last report of each that was counted, so that these may be deleted."""
        gone = {
            pod: recent_rows(report)
            for pod, report in reports.items()
            if (known := self.pods.get(pod)) and known.has_recent and known.sequence >= report.sequence
        }
        pods = {pod: replace(counted, has_recent=counted.has_recent and pod not in gone) for pod, counted in self.pods.items()}
        kept = by_stretch((*self.departed, *(one for stretches in gone.values() for one in stretches)))
        return replace(self, pods=pods, departed=kept)

    def without_mature(self, horizon: datetime) -> "Evidence":
        """Drop what is kept of pods that are gone where it is mature: the counts of all labels have it."""
        return replace(self, departed=tuple(one for one in self.departed if one.is_young(horizon)))

    @property
    def cells(self) -> int:
        """Slots of all features together."""
        return sum(len(feature.counts) for feature in self.features)

    def restarted(self) -> "Evidence":
        """Drop what rows and labels have shown so far, but not which were counted: rows of a broken feed mislead."""
        total = zero_counts(groups=len(self.groups))
        return replace(self, total=total, judged=None, drift=None, drift_since=None, harm=HarmDetectorState())

    @property
    def has_recent(self) -> bool:
        """Whether it is known of the rows when they were predicted."""
        return bool(self.departed) or any(counted.has_recent for counted in self.pods.values())

    @property
    def unit(self) -> float:
        """What a regression's sums are in."""
        return self.loss_reference.unit if self.loss_reference else 1.0

    @property
    def pairs(self) -> int:
        """Pairs of features whose correlation is tested."""
        return len(self.correlations.products) if self.correlations else 0

    def has_room(self) -> bool:
        """Return whether one more pod can be counted."""
        size = self.cells + self.pairs
        candidates = most_candidates(scales_for(size)) * size // 2  # whose numbers are small, and take half the room
        labels = LABELS * (1 + len(self.groups))
        judged = labels * (1 + len(self.departed))
        return (len(self.pods) + 1) * (size + labels) + candidates + judged <= MOST_COUNTS

    def check(self) -> None:
        """Raise ValueError where the parts do not belong together."""
        whole = (self.cells, self.pairs)
        labels = LABELS * (1 + len(self.groups))
        counts = [(self.total, (0, 0))] + [(counted.tally, whole) for counted in self.pods.values()]
        sizes = [(len(one.rows), len(one.labels)) == (ROWS, labels) and (len(one.cells), len(one.products)) == size for one, size in counts]
        sizes += [len(one.labels) == labels for one in self.departed]
        sizes.append(self.judged is None or len(self.judged.labels) == labels)
        if self.drift:
            buckets = [self.drift.waiting, *(segment.bucket for segment in self.drift.segments)]
            sizes.append(all((len(bucket.cells), len(bucket.products)) == whole for bucket in buckets))
        if self.quality:
            sizes.append(
                all((len(window.cells), len(window.outside)) == (self.cells, len(self.features)) for window in self.quality.windows)
            )
            sizes.append(len(self.quality.windows) == len(WINDOWS))
        if not all(sizes) or len(self.harm.windows) != len(HarmDetectorState().windows):
            raise ValueError("its parts have different sizes")


_PACKED = PackedText(Evidence)
