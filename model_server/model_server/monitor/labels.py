"""Labels of one version as they were scored: all together, and by the groups of the objective's slices.

Those of recent predictions are counted by stretch of the label delay, too: only the operator knows when they may be judged.
Not here: a label's loss (``scoring.py``), and storing them (``pod_counts.py``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.report import GroupCounts, LabelCounts, MonitorReportSpec

from ..link.labels import LabelledPrediction
from .label_delay import LabelDelay
from .scoring import Scorer


@dataclass(frozen=True)
class ScoredLabels:
    """Counts of all labels of a version, and of those in each group of its schema's slices."""

    total: LabelCounts
    groups: tuple[GroupCounts, ...]

    @classmethod
    def empty(cls, schema: BundleSchema, scorer: Scorer) -> "ScoredLabels":
        """Return counts of no labels."""
        groups = (GroupCounts(column=group.column, value=group.text, labels=scorer.zero_counts()) for group in schema.slices)
        return cls(scorer.zero_counts(), tuple(groups))

    @classmethod
    def from_counts(cls, total: LabelCounts, groups: Iterable[GroupCounts], counts: Iterable[LabelCounts]) -> "ScoredLabels":
        """Return the counts of all labels, and of those in these groups."""
        return cls(total, tuple(group.replace(labels=labels) for group, labels in zip(groups, counts, strict=True)))

    def add(self, label: LabelledPrediction, scorer: Scorer) -> "ScoredLabels | None":
        """Return the counts with one more label; None where it cannot be scored."""
        total = scorer.add(self.total, label["values"], label["truth"])
        if total is None:
            return None
        groups = list(self.groups)
        for index in filter(range(len(groups)).__contains__, label["groups"]):
            counts = scorer.add(groups[index].labels, label["values"], label["truth"])
            groups[index] = groups[index].replace(labels=counts or groups[index].labels)
        return ScoredLabels(total, tuple(groups))

    def with_repeated(self) -> "ScoredLabels":
        """Return the counts with one more label of a prediction that already had one."""
        return replace(self, total=self.total.replace(repeated=self.total.repeated + 1))

    def with_other_version(self) -> "ScoredLabels":
        """Return the counts with one more label of another version's prediction."""
        return replace(self, total=self.total.replace(other_version=self.total.other_version + 1))

    def merged(self, earlier: "ScoredLabels") -> "ScoredLabels":
        """Return the sum with counts of the pod before a restart; groups that this version does not have are left out."""
        known = {(group.column, group.value): group.labels for group in earlier.groups}
        merged = [group.replace(labels=_sum(group.labels, known.get((group.column, group.value), LabelCounts()))) for group in self.groups]
        return ScoredLabels(_sum(self.total, earlier.total), tuple(merged))

    def dump(self) -> dict[str, Any]:
        """Return what ``load`` takes."""
        return {"total": self.total.wire(), "groups": [group.wire() for group in self.groups]}

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> "ScoredLabels":
        """Return what ``dump`` wrote."""
        groups = (GroupCounts.model_validate(group) for group in document["groups"])
        return cls(LabelCounts.model_validate(document["total"]), tuple(groups))


@dataclass(frozen=True)
class VersionLabels:
    """All labels, and the recent ones among them by stretch of the label delay; ``empty`` counts none."""

    empty: ScoredLabels
    total: ScoredLabels
    recent: Mapping[int, ScoredLabels] = field(default_factory=dict)

    def add(self, label: LabelledPrediction, scorer: Scorer, delay: LabelDelay) -> "VersionLabels | None":
        """Return the counts with one more label; None where it cannot be scored."""
        stretch = delay.stretch(label["milliseconds"] / 1000)
        total, recent = self.total.add(label, scorer), self.within(stretch).add(label, scorer)
        return VersionLabels(self.empty, total, {**self.recent, stretch: recent}) if total and recent else None

    def with_repeated(self) -> "VersionLabels":
        """Return the counts with one more label of a prediction that already had one."""
        return replace(self, total=self.total.with_repeated())

    def with_other_version(self) -> "VersionLabels":
        """Return the counts with one more label of another version's prediction."""
        return replace(self, total=self.total.with_other_version())

    def within(self, stretch: int) -> ScoredLabels:
        """Return the counts of a stretch."""
        return self.recent.get(stretch, self.empty)

    def advance(self, delay: LabelDelay, now: float) -> "VersionLabels":
        """Return the counts with those stretches alone that are still counted apart; ``now`` is in seconds since the epoch."""
        return replace(self, recent={stretch: self.recent[stretch] for stretch in delay.recent(self.recent, now)})

    def merged(self, report: MonitorReportSpec, recent: Mapping[int, ScoredLabels]) -> "VersionLabels":
        """Return the sum with counts of the pod before a restart: its report, and its recent labels by stretch."""
        total = self.total.merged(ScoredLabels(report.labels, tuple(report.groups)))
        return replace(self, total=total, recent={**self.recent, **{one: self.within(one).merged(part) for one, part in recent.items()}})


def _sum(left: LabelCounts, right: LabelCounts) -> LabelCounts:
    """Add counts, field by field."""
    changed: dict[str, Any] = {}
    for name in LabelCounts.model_fields:
        one, other = getattr(left, name), getattr(right, name)
        changed[name] = [a + b for a, b in zip(one, other, strict=True)] if isinstance(one, list) and one and other else (one or other)
        if isinstance(one, int):
            changed[name] = one + other
    return left.model_copy(update=changed)
