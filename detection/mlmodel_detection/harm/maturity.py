"""Which labels are judged: those of predictions whose label delay is over, or of all so far where next to none is missing.

Labels that come by class (positives after a day, negatives after a week) are at first the labels of positives alone, and make any model
look bad. Not here: what is judged of them (``detector.py``); why this keeps the sequential tests valid: ``docs/drift.md``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlmodel_contract.report import LabelCounts

from ..counts import ReportCounts, added, label_documents
from ..recent import YoungRows

MOST_AWAITED = 0.01
"""Labels that may be missing among those judged at a time, as a share of them."""


@dataclass(frozen=True)
class JudgedLabels:
    """The labels judged so far, written out as in ``ReportCounts.labels``.

    ``awaited`` predictions came before the last of them, and their labels may still come. ``missed`` rows had not reached a sidecar then.
    """

    labels: tuple[int, ...]
    awaited: int = 0
    missed: int = 0

    @property
    def documents(self) -> list[LabelCounts]:
        """The counts of all judged labels, then of those in each group."""
        return label_documents(self.labels)

    def advance(self, total: ReportCounts, young: YoungRows) -> "JudgedLabels":
        """Return what is judged now: all labels where they are whole, else the mature ones, else what was judged before."""
        missed = total.row_counts.missed
        everything = JudgedLabels(total.labels, young.awaited + max(0, missed - self.missed), missed)
        if self._is_whole(everything):
            return everything
        mature = JudgedLabels(subtracted(total.labels, young.labels), 0, missed)
        return mature if has_begun(total, young) and self._is_whole(mature) else self

    def _is_whole(self, later: "JudgedLabels") -> bool:
        """Return whether the labels new in ``later`` are those of a stretch of predictions, but for a negligible share at its ends."""
        new = subtracted(later.labels, self.labels)
        return new[0] > 0 and not ReportCounts((), new).has_decreased() and max(self.awaited, later.awaited) <= MOST_AWAITED * new[0]


def has_begun(total: ReportCounts, young: YoungRows) -> bool:
    """Return whether all rows of before a restart of the evidence are mature: ``young`` has them, ``total`` does not."""
    return young.rows <= total.row_counts.counted


def without_interrupted(judged: JudgedLabels, total: ReportCounts, young: YoungRows) -> tuple[JudgedLabels, ReportCounts]:
    """Drop the labels of predictions of before a restart, once these are all mature, unless later ones are judged already."""
    if judged.labels[0] or not judged.awaited or not has_begun(total, young):
        return judged, total
    return replace(judged, awaited=0), replace(total, labels=young.labels)


def subtracted(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """Subtract counts one by one."""
    return added(left, (-number for number in right))
