"""The loss and the other values of each row, whose means are all metrics but the area under the ROC curve.

Pure. The loss is the one that live predictions are scored by: log loss in nats, clipped, or squared error. Not here: means and intervals.
"""

import math

import numpy as np
from mlmodel_contract.live_loss import misordered_shares
from mlmodel_contract.quality_metrics import FACTS, Metric, Task
from mlmodel_contract.report import LARGEST_LOG_LOSS, SCORE_BINS
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def loss(task: Task, predictions: Floats, target: Floats) -> Floats:
    """Return each row's loss.

    Args:
        task: what is predicted.
        predictions: rows x classes probabilities, or rows x 1 numbers.
        target: index of the true class (-1 where the model does not know it), or the true number.

    """
    if task is Task.REGRESSION:
        return np.square(predictions[:, 0] - target)
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(probability_of(predictions, target)), LARGEST_LOG_LOSS)


def probability_of(predictions: Floats, target: Floats) -> Floats:
    """Return the probability that was given to the true class; 0 for a class that the model does not know."""
    codes = target.astype(np.int64)
    found = predictions[np.arange(len(codes)), np.maximum(codes, 0)]
    return np.where(codes >= 0, found, 0.0)


def live_losses(task: Task, metric: Metric | None, predictions: Floats, target: Floats) -> Floats:
    """Return each row's loss that labels are counted by in production (``mlmodel_contract.live_loss``); by ``loss`` without a metric.

    For the area under the ROC curve the rows have to be of both classes.
    """
    match metric:
        case Metric.ACCURACY:
            return 1.0 - per_row_metrics(task, predictions, target)[metric]
        case Metric.BRIER_SCORE | Metric.MAE:
            return per_row_metrics(task, predictions, target)[metric]
        case Metric.ROC_AUC:
            negatives, positives = score_histograms(predictions, target)
            of_negatives, of_positives = misordered_shares(positives, positive=False), misordered_shares(negatives, positive=True)
            found = _bins(predictions)
            return np.where(target == 1, np.array(of_positives)[found], np.array(of_negatives)[found])
        case _:
            return loss(task, predictions, target)


def score_histograms(predictions: Floats, target: Floats) -> tuple[list[int], list[int]]:
    """Return the rows of a binary classification by bin of the positive class's probability, of negatives and of positives."""
    bins, positive = _bins(predictions), target == 1
    negatives, positives = (np.bincount(bins[rows], minlength=SCORE_BINS).tolist() for rows in (~positive, positive))
    return negatives, positives


def _bins(predictions: Floats) -> NDArray[np.int64]:
    return np.clip((predictions[:, 1] * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)


def row_losses(task: Task, metric: Metric, predictions: Floats, target: Floats) -> Floats:
    """Return a value for each row, as a loss, whose mean is the metric: with the sign turned where a higher metric is better.

    For metrics that are no mean of rows these are influence values (the delta method; DeLong's components for the area under the ROC
    curve), so that the spread of their mean is the metric's own. A row has NaN where the metric is not defined on these rows.
    """
    if metric is Metric.ROC_AUC:
        return -_roc_components(predictions[:, 1], target == 1)
    rows = per_row_metrics(task, predictions, target)
    if metric in (Metric.RMSE, Metric.R2):
        return _of_squares(metric, rows[Metric.RMSE], target)
    return -rows[metric] if FACTS[metric].higher_is_better else rows[metric]


def _of_squares(metric: Metric, squares: Floats, target: Floats) -> Floats:
    mean, spread = float(squares.mean()), float(target.var())
    if metric is Metric.R2:
        unexplained = mean / spread if spread > 0 else math.nan
        rows: Floats = unexplained - 1.0 + (squares - unexplained * np.square(target - target.mean())) / (spread or math.nan)
        return rows
    root = math.sqrt(mean)
    return root + (squares - mean) / (2 * root) if root > 0 else np.zeros(len(squares))


def _roc_components(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Return values whose mean is the area under the ROC curve: a positive's share of negatives below it, and the other way round."""
    share = float(positive.mean())
    if share in (0.0, 1.0):
        return np.full(len(scores), np.nan)
    beaten = np.where(positive, _share_below(scores, scores[~positive]), 1.0 - _share_below(scores, scores[positive]))
    area = float(beaten[positive].mean())
    return area + (beaten - area) / np.where(positive, share, 1.0 - share)


def _share_below(scores: Floats, others: Floats) -> Floats:
    """Return the share of the others that each score is above; equal ones count half."""
    ordered = np.sort(others)
    below, up_to = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (below + up_to) / (2 * len(ordered))


def per_row_metrics(task: Task, predictions: Floats, target: Floats) -> dict[Metric, Floats]:
    """Return, for each metric that is a mean (or the root of one), the value of each row."""
    if task is Task.REGRESSION:
        error = predictions[:, 0] - target
        return {Metric.RMSE: np.square(error), Metric.MAE: np.abs(error)}
    correct = (predictions.argmax(axis=1) == target).astype(np.float64)
    rows = {Metric.LOG_LOSS: loss(task, predictions, target), Metric.ACCURACY: correct}
    if predictions.shape[1] == 2:
        rows[Metric.BRIER_SCORE] = np.square(1.0 - probability_of(predictions, target))
    return rows
