"""Counts of rows and labels that are added and subtracted exactly.

Not here: whether a report's counts can be believed (``reports.py``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mlmodel_contract.report import LabelCounts, MonitorReportSpec, RowCounts

SCORES = 100
"""Bins of each histogram of scores."""

_ROWS = tuple(RowCounts.model_fields)
_LABELS = tuple(name for name in LabelCounts.model_fields if not name.startswith("scores_"))
NUMBERS = len(_ROWS) + len(_LABELS)
_COUNTS = len(_ROWS) + _LABELS.index("loss")  # the fields before it count rows and labels
TRUTH = len(_ROWS) + _LABELS.index("truth")
"""Place of the one number that may fall: the sum of the true values, which may be negative."""


@dataclass(frozen=True)
class Tally:
    """Counts of one pod or of all.

    ``numbers`` are the fields of ``RowCounts`` and the sums of ``LabelCounts``, ``scores`` the 100 bins of the negatives' and the 100 of
    the positives' scores, ``cells`` the rows by slot, one feature after the other, ``products`` the sums by pair of features, ``outside``
    the values out of range by feature.
    """

    numbers: tuple[int, ...]
    scores: tuple[int, ...]
    cells: tuple[int, ...]
    products: tuple[int, ...] = ()
    outside: tuple[int, ...] = ()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            added(self.numbers, other.numbers),
            added(self.scores, other.scores),
            added(self.cells, other.cells),
            added(self.products, other.products),
            added(self.outside, other.outside),
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return self + Tally(
            _negated(other.numbers), _negated(other.scores), _negated(other.cells), _negated(other.products), _negated(other.outside)
        )

    @property
    def rows(self) -> RowCounts:
        """The row counts as a document."""
        return RowCounts(**dict(zip(_ROWS, self.numbers, strict=False)))

    @property
    def labels(self) -> LabelCounts:
        """The label counts as a document; histograms that are empty are left out."""
        sums = dict(zip(_LABELS, self.numbers[len(_ROWS) :], strict=True))
        if not any(self.scores):
            return LabelCounts(**sums)
        negatives, positives = list(self.scores[:SCORES]), list(self.scores[SCORES:])
        return LabelCounts(**sums, scores_of_negatives=negatives, scores_of_positives=positives)

    @property
    def counts(self) -> tuple[int, ...]:
        """All that counts rows or labels, and not a sum of other numbers."""
        return (*self.numbers[:_COUNTS], *self.scores, *self.cells, *self.outside)

    def fell(self) -> bool:
        """Tell whether, as a change, it takes something away."""
        numbers = self.numbers[:TRUTH] + self.numbers[TRUTH + 1 :]
        return min((*numbers, *self.scores, *self.cells, *self.outside)) < 0


def blank_tally(cells: int, pairs: int = 0, features: int = 0) -> Tally:
    """Return the tally of nothing, with that many slots, pairs and features."""
    return Tally((0,) * NUMBERS, (0,) * (2 * SCORES), (0,) * cells, (0,) * pairs, (0,) * features)


def tally_of(report: MonitorReportSpec) -> Tally:
    """Return the report's counts; histograms that it leaves out are zeros."""
    numbers = [getattr(report.rows, name) for name in _ROWS] + [getattr(report.labels, name) for name in _LABELS]
    negatives = report.labels.scores_of_negatives or [0] * SCORES
    positives = report.labels.scores_of_positives or [0] * SCORES
    cells = tuple(rows for feature in report.features for rows in feature.live)
    return Tally(
        tuple(numbers), (*negatives, *positives), cells, tuple(report.products), tuple(feature.outside for feature in report.features)
    )


def added(left: Iterable[int], right: Iterable[int]) -> tuple[int, ...]:
    """Add counts one by one; there must be as many on either side."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _negated(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(-value for value in values)
