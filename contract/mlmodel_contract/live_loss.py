"""The loss that harm is judged by, from the counts of labelled predictions: a value of each row, whose mean is ``training.selectBy``'s.

The trainer computes its reference on the holdout, the sidecar and the operator the same from labels, so that all three mean one thing.
Not here: tests of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .quality_metrics import Metric
from .report import MICRO, SCORE_BINS, LabelCounts, LossReference


@dataclass(frozen=True)
class LossSums:
    """Labels and sums of their loss and squared loss, in millionths of ``loss_unit`` and of its square."""

    rows: int = 0
    loss: int = 0
    loss_squared: int = 0

    def __add__(self, other: "LossSums") -> "LossSums":
        return LossSums(self.rows + other.rows, self.loss + other.loss, self.loss_squared + other.loss_squared)

    def __sub__(self, other: "LossSums") -> "LossSums":
        return LossSums(self.rows - other.rows, self.loss - other.loss, self.loss_squared - other.loss_squared)


def loss_unit(reference: LossReference | None) -> float:
    """Return what the loss is counted in: a regression's unit, or its square; 1 of a classification."""
    if reference is None:
        return 1.0
    return reference.unit if reference.metric is Metric.MAE else reference.unit**2


def loss_sums(labels: LabelCounts, reference: LossReference | None) -> LossSums:
    """Return the sums of the loss that the reference is of; of log loss or squared error where it names no metric."""
    match reference.metric if reference else None:
        case Metric.ACCURACY:
            wrong = (labels.rows - labels.correct) * MICRO
            return LossSums(labels.rows, wrong, wrong)
        case Metric.BRIER_SCORE:
            return LossSums(labels.rows, labels.squared_error, _fourth_powers(labels))
        case Metric.MAE:
            return LossSums(labels.rows, labels.absolute_error, labels.squared_error)
        case Metric.ROC_AUC if reference:
            return _misordered(labels, reference)
        case _:
            return LossSums(labels.rows, labels.loss, labels.loss_squared)


def misordered_shares(others: Sequence[int], *, positive: bool) -> list[float]:
    """Return, by bin, the share of the other class's rows that a row is on the wrong side of; those of its bin count half.

    Args:
        others: rows of the other class by bin, one at least.
        positive: whether the row's class is the positive one, whose rows belong into higher bins.

    """
    total = sum(others)
    below = [(up_to - count / 2) / total for up_to, count in zip(accumulate(others), others, strict=True)]
    return [1 - share for share in below] if positive else below


def _fourth_powers(labels: LabelCounts) -> int:
    """A squared error of a probability is at most 1, and so is at least its square; the bins say it better."""
    negatives, positives = labels.scores_of_negatives, labels.scores_of_positives
    if not negatives:
        return labels.squared_error
    middles = [(index + 0.5) / SCORE_BINS for index in range(SCORE_BINS)]
    of_negatives = sum(count * middle**4 for count, middle in zip(negatives, middles, strict=True))
    of_positives = sum(count * (1 - middle) ** 4 for count, middle in zip(positives, middles, strict=True))
    return round((of_negatives + of_positives) * MICRO)


def _misordered(labels: LabelCounts, reference: LossReference) -> LossSums:
    """Each live row beside the holdout's rows of the other class, so that the loss is a mean of rows and can be added up."""
    if not labels.scores_of_negatives:
        return LossSums()
    negatives = _with_losses(labels.scores_of_negatives, misordered_shares(reference.scores_of_positives, positive=False))
    return negatives + _with_losses(labels.scores_of_positives, misordered_shares(reference.scores_of_negatives, positive=True))


def _with_losses(rows: Sequence[int], losses: Sequence[float]) -> LossSums:
    """Return the sums of rows by bin, where each bin has a loss."""
    pairs = list(zip(rows, losses, strict=True))
    return LossSums(sum(rows), round(sum(n * one for n, one in pairs) * MICRO), round(sum(n * one**2 for n, one in pairs) * MICRO))
