"""Counts of rows and labels, of one report or of many, which are added and subtracted exactly.

Not here: whether a report's counts can be believed (``reports/validation.py``), and which reports are added (``merging.py``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlmodel_contract.report import SCORE_BINS, LabelCounts, MonitorReportSpec, RowCounts

_ROWS = tuple(RowCounts.model_fields)
_SUMS = tuple(name for name in LabelCounts.model_fields if not name.startswith("scores_"))
ROWS, LABELS = len(_ROWS), len(_SUMS) + 2 * SCORE_BINS
"""Numbers that rows, and the labels of one group, are counted by."""

_LOSS, _TRUTH = _SUMS.index("loss"), _SUMS.index("truth")  # sums before the loss count labels; the truth's may fall, and be negative


@dataclass(frozen=True)
class ReportCounts:
    """Counts of one pod or of all.

    ``rows`` are the fields of ``RowCounts``, ``labels`` those of ``LabelCounts`` with both histograms written out: of all labels, then of
    each group; ``cells`` the rows by slot, one feature after the other, ``products`` the sums by pair of features, ``outside`` the values
    out of range by feature.
    """

    rows: tuple[int, ...]
    labels: tuple[int, ...]
    cells: tuple[int, ...] = ()
    products: tuple[int, ...] = ()
    outside: tuple[int, ...] = ()

    def __add__(self, other: "ReportCounts") -> "ReportCounts":
        return ReportCounts(
            added(self.rows, other.rows),
            added(self.labels, other.labels),
            added(self.cells, other.cells),
            added(self.products, other.products),
            added(self.outside, other.outside),
        )

    def __sub__(self, other: "ReportCounts") -> "ReportCounts":
        return self + ReportCounts(*map(_negated, (other.rows, other.labels, other.cells, other.products, other.outside)))

    @property
    def row_counts(self) -> RowCounts:
        """The row counts as a document."""
        return RowCounts(**dict(zip(_ROWS, self.rows, strict=True)))

    @property
    def label_counts(self) -> LabelCounts:
        """The counts of all labels as a document."""
        return label_documents(self.labels)[0]

    @property
    def counts(self) -> tuple[int, ...]:
        """All that counts rows or labels, and not a sum of other numbers."""
        labels = (count for index, count in enumerate(self.labels) if not _LOSS <= index % LABELS < len(_SUMS))
        return (*self.rows, *labels, *self.cells, *self.outside)

    @property
    def sums(self) -> tuple[int, ...]:
        """The sums of labels' other numbers that cannot fall."""
        return tuple(total for index, total in enumerate(self.labels) if _LOSS <= index % LABELS < len(_SUMS) and index % LABELS != _TRUTH)

    @property
    def truths(self) -> tuple[int, ...]:
        """The sums of the true values."""
        return self.labels[_TRUTH::LABELS]

    def has_decreased(self) -> bool:
        """Return whether, as a change, it makes a count smaller that can only grow."""
        return min((*self.counts, *self.sums)) < 0


def zero_counts(cells: int = 0, pairs: int = 0, features: int = 0, groups: int = 0) -> ReportCounts:
    """Return counts of nothing, with that many slots, pairs, features and groups."""
    return ReportCounts((0,) * ROWS, (0,) * (LABELS * (1 + groups)), (0,) * cells, (0,) * pairs, (0,) * features)


def report_counts(report: MonitorReportSpec) -> ReportCounts:
    """Return the report's counts; histograms that it leaves out are zeros."""
    return ReportCounts(
        tuple(getattr(report.rows, name) for name in _ROWS),
        label_numbers([report.labels, *(group.labels for group in report.groups)]),
        tuple(rows for feature in report.features for rows in feature.live),
        tuple(report.products),
        tuple(feature.outside for feature in report.features),
    )


def label_numbers(labels: Iterable[LabelCounts]) -> tuple[int, ...]:
    """Write label counts out: of all labels, then of each group."""
    return tuple(number for counts in labels for number in _numbers(counts))


def label_documents(numbers: Sequence[int]) -> list[LabelCounts]:
    """Return the documents of label counts that are written out."""
    return [_document(numbers[start : start + LABELS]) for start in range(0, len(numbers), LABELS)]


def added(left: Iterable[int], right: Iterable[int]) -> tuple[int, ...]:
    """Add counts one by one; there must be as many on either side."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _negated(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(-value for value in values)


def _numbers(labels: LabelCounts) -> list[int]:
    sums = [getattr(labels, name) for name in _SUMS]
    return [*sums, *(labels.scores_of_negatives or [0] * SCORE_BINS), *(labels.scores_of_positives or [0] * SCORE_BINS)]


def _document(numbers: Sequence[int]) -> LabelCounts:
    """Return label counts; histograms that are empty are left out."""
    sums, scores = dict(zip(_SUMS, numbers, strict=False)), numbers[len(_SUMS) :]
    if not any(scores):
        return LabelCounts(**sums)
    return LabelCounts(**sums, scores_of_negatives=list(scores[:SCORE_BINS]), scores_of_positives=list(scores[SCORE_BINS:]))
