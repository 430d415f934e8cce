"""A labelled prediction's loss and the other sums that live metrics are computed from, in whole millionths.

Not here: which labels are scored, and metrics.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import LARGEST_LOG_LOSS, MICRO, MOST_UNITS, SCORE_BINS, LabelCounts, LossReference

_SMALLEST = math.exp(-LARGEST_LOG_LOSS)
_LARGEST_SUM = 2**62  # the Kubernetes API holds whole numbers in 64 bits
_SUMS = ("rows", "loss", "loss_squared", "correct", "squared_error", "absolute_error", "truth", "truth_squared")


class Scorer:
    """Scores labels of one version; a regression's in units of the reference."""

    def __init__(self, schema: BundleSchema, reference: LossReference) -> None:
        self._reference = reference
        self._regression = schema.task is Task.REGRESSION
        self._classes = {_key(label): index for index, label in enumerate(schema.classes)}
        self._binary = len(schema.classes) == 2

    def zero_counts(self) -> LabelCounts:
        """Return counts of no labels."""
        if not self._binary:
            return LabelCounts()
        return LabelCounts(scores_of_negatives=[0] * SCORE_BINS, scores_of_positives=[0] * SCORE_BINS)

    def add(self, counts: LabelCounts, values: Sequence[float], truth: Any) -> LabelCounts | None:
        """Return the counts with one more label; None where it cannot be scored: it is beyond 64 bits, or not of this model.

        Args:
            counts: what was counted so far.
            values: of the prediction id: the positive class's probability, all probabilities, or the number.
            truth: the label.

        """
        if not self._regression and not (self._binary and len(values) == 1) and len(values) != len(self._classes):
            return None
        try:
            sums = self._number(values[0], float(truth)) if self._regression else self._class(values, truth)
        except OverflowError:
            return None
        changed = {name: getattr(counts, name) + sums.get(name, 0) for name in _SUMS}
        if any(abs(value) > _LARGEST_SUM for value in changed.values()):
            return None
        return counts.model_copy(update={**changed, **self._histograms(counts, values, truth)})

    def _number(self, prediction: float, truth: float) -> Mapping[str, int]:
        """Errors beyond the most are clipped: that can only lower a mean loss, so harm is never found that is not there."""
        error = _clip((prediction - truth) / self._reference.unit, MOST_UNITS)
        truth = _clip((truth - self._reference.center) / self._reference.unit, MOST_UNITS**2)
        return {
            "rows": 1,
            "loss": _micro(error**2),
            "loss_squared": _micro(error**4),
            "squared_error": _micro(error**2),
            "absolute_error": _micro(abs(error)),
            "truth": _micro(truth),
            "truth_squared": _micro(truth**2),
        }

    def _class(self, values: Sequence[float], truth: Any) -> Mapping[str, int]:
        """A truth that is none of the classes had the probability 0."""
        probabilities = [1 - values[0], values[0]] if self._binary and len(values) == 1 else list(values)
        index = self._classes.get(_key(truth), -1)
        probability = probabilities[index] if index >= 0 else 0.0
        loss = -math.log(min(1.0, max(probability, _SMALLEST)))
        sums = {"rows": 1, "loss": _micro(loss), "loss_squared": _micro(loss**2)}
        sums["correct"] = int(index == max(range(len(probabilities)), key=probabilities.__getitem__))
        if self._binary:
            sums["squared_error"] = _micro((probabilities[1] - (index == 1)) ** 2)
        return sums

    def _histograms(self, counts: LabelCounts, values: Sequence[float], truth: Any) -> Mapping[str, list[int]]:
        if not self._binary:
            return {}
        name = "scores_of_positives" if self._classes.get(_key(truth)) == 1 else "scores_of_negatives"
        bins = list(getattr(counts, name))
        bins[min(SCORE_BINS - 1, max(0, int(values[0] * SCORE_BINS)))] += 1
        return {name: bins}


def _clip(value: float, most: float) -> float:
    return min(most, max(-most, value))


def _micro(value: float) -> int:
    return round(value * MICRO)


def _key(label: Any) -> tuple[str, Any]:
    """True equals 1 to Python, but is another label."""
    return type(label).__name__, label
