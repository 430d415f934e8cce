"""The loss and the other values of each row, whose means are all metrics but the area under the ROC curve.

Pure. The loss is the one that live predictions are scored by: log loss in nats, clipped, or squared error. Not here: means and intervals.
"""

import numpy as np
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import LARGEST_LOG_LOSS
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
