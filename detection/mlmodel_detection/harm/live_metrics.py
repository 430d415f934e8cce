"""Metrics of labelled predictions from their counts: the value, and the mean that a criterion on it can be tested by.

Not here: bounds and verdicts.
"""

import math
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import MICRO, LabelCounts
from numpy.typing import NDArray

from .confidence import Mean

LEAST_OF_CLASS = 20
"""Labels of each class below which the variance of the area under the ROC curve is not to be relied on."""

COARSE = 0.1
"""The share of pairs of a positive and a negative in one bin above which histograms do not give the area under the ROC curve."""


@dataclass(frozen=True)
class LiveMetric:
    """A metric's value on labelled predictions, and what it is tested by.

    ``tested`` is a mean that the true metric cannot be worse than but by chance; None where the counts give none. ``squared`` says that
    the tested mean is the metric's square.
    """

    value: float
    tested: Mean | None
    squared: bool = False


def live_metric(metric: Metric, labels: LabelCounts, unit: float = 1.0) -> LiveMetric | None:
    """Return the metric on all labels counted, or None where the counts do not give it; ``unit`` is what a regression's sums are in."""
    if labels.rows == 0:
        return None
    match metric:
        case Metric.LOG_LOSS:
            mean = mean_of_sums(labels.loss, labels.loss_squared, labels.rows)
            return LiveMetric(mean.value, mean)
        case Metric.ACCURACY:
            return _accuracy(labels)
        case Metric.BRIER_SCORE:
            return _brier_score(labels)
        case Metric.ROC_AUC:
            return _roc_auc(labels)
        case Metric.RMSE:
            mean = mean_of_sums(labels.loss, labels.loss_squared, labels.rows, unit**2)
            return LiveMetric(math.sqrt(mean.value), mean, squared=True)
        case Metric.MAE:
            mean = mean_of_sums(labels.absolute_error, labels.squared_error, labels.rows, unit)
            return LiveMetric(mean.value, mean)
        case Metric.R2:
            return _r2(labels)


def mean_of_sums(total: int, total_of_squares: int, rows: int, unit: float = 1.0) -> Mean:
    """Return the mean of ``rows`` values, one at least, from sums in millionths; whole numbers until the division: nothing cancels."""
    variance = (total_of_squares * MICRO * rows - total**2) / (MICRO * rows) ** 2
    return Mean(total / (MICRO * rows) * unit, _unbiased(variance, rows) * unit**2, rows)


def _unbiased(variance: float, rows: float) -> float:
    return max(variance, 0.0) * rows / max(rows - 1, 1)


def _accuracy(labels: LabelCounts) -> LiveMetric:
    # One right and one wrong label more, so that a hundred right ones in a row do not count as certainty.
    smoothed = (labels.correct + 1) / (labels.rows + 2)
    value = labels.correct / labels.rows
    return LiveMetric(value, Mean(value, smoothed * (1 - smoothed), labels.rows))


def _brier_score(labels: LabelCounts) -> LiveMetric:
    value = labels.squared_error / MICRO / labels.rows
    histograms = _histograms(labels)
    if histograms is None:
        # A square in [0, 1] with this mean varies at most so much.
        return LiveMetric(value, Mean(value, max(value * (1 - value), 0.0), labels.rows))
    negatives, positives = histograms
    probability = (np.arange(len(negatives)) + 0.5) / len(negatives)
    fourth = float(negatives @ probability**4 + positives @ (1 - probability) ** 4) / labels.rows
    second = float(negatives @ probability**2 + positives @ (1 - probability) ** 2) / labels.rows
    return LiveMetric(value, Mean(value, _unbiased(fourth - second**2, labels.rows), labels.rows))


def _roc_auc(labels: LabelCounts) -> LiveMetric | None:
    """Area by mid-ranks with DeLong's variance; tested as if ties within a bin were in the right order, so binning breaks no bound."""
    histograms = _histograms(labels)
    if histograms is None or histograms[0].sum() < 2 or histograms[1].sum() < 2:
        return None
    negatives, positives = histograms
    n, p = float(negatives.sum()), float(positives.sum())
    below = np.cumsum(negatives) - negatives / 2  # negatives that a positive of the bin is ranked above
    above = p - np.cumsum(positives) + positives / 2  # positives that a negative of the bin is ranked below
    value = float(positives @ below) / (n * p)
    ties = float(positives @ negatives) / (n * p)
    if ties > COARSE:
        return None
    of_positives = _unbiased(float(positives @ (below / n - value) ** 2) / p, p) / p
    of_negatives = _unbiased(float(negatives @ (above / p - value) ** 2) / n, n) / n
    if min(n, p) < LEAST_OF_CLASS:
        return LiveMetric(value, None)
    return LiveMetric(value, Mean(min(value + ties / 2, 1.0), (of_positives + of_negatives) * labels.rows, labels.rows))


def _r2(labels: LabelCounts) -> LiveMetric | None:
    spread = labels.truth_squared * MICRO * labels.rows - labels.truth**2
    return LiveMetric(1 - labels.squared_error * MICRO * labels.rows / spread, None) if spread > 0 else None


def _histograms(labels: LabelCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    negatives = np.array(labels.scores_of_negatives, np.float64)
    positives = np.array(labels.scores_of_positives, np.float64)
    return (negatives, positives) if len(negatives) == len(positives) > 0 else None
