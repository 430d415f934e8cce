"""Why a report is not counted. Not here: the checks (``validation.py``)."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a report is not counted."""

    FOREIGN = "Foreign"  # another version of the model or of the contract
    STALE = "Stale"  # older than the last one counted, or as old but different
    DECREASED = "Decreased"  # a cumulative count became smaller
    INCONSISTENT = "Inconsistent"  # other features or slots, or counts that contradict each other
    ABSURD = "Absurd"  # negative, not finite, or beyond all bounds
    FULL = "Full"  # more pods than the evidence has room for


class ReportError(Exception):
    """A report that is not counted; the reason is a ``RefusalReason``."""

    def __init__(self, refusal: RefusalReason) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


def require(holds: bool, refusal: RefusalReason) -> None:
    """Refuse the report with that reason unless the condition holds."""
    if not holds:
        raise ReportError(refusal)
