"""What predictions are worth to the business, by ``objective.value``.

Pure. Not here: what follows from it.
"""

import numpy as np
from mlmodel_contract.manifest import Outcomes, Value
from mlmodel_contract.quality_metrics import Task

from ..data.training_rows import TrainingRows
from .evaluation import EvaluationDataset
from .losses import Floats


def amounts(value: Value, dataset: EvaluationDataset, rows: TrainingRows) -> Floats:
    """Return what each prediction was worth, in the value's currency.

    Args:
        value: the objective's value.
        dataset: predictions and the truth.
        rows: the same rows, for the column that amounts are in.

    """
    if value.per_unit_error is not None:
        return -value.per_unit_error * np.abs(dataset.predictions[:, 0] - dataset.target)
    if value.column is not None:
        right = dataset.predictions.argmax(axis=1) == dataset.target
        return np.where(right, np.nan_to_num(rows.columns[value.column]), 0.0)
    return _of_outcomes(value.outcomes or Outcomes(), dataset)


def _of_outcomes(outcomes: Outcomes, dataset: EvaluationDataset) -> Floats:
    """Act on each prediction as is worth most by its own probability, and return what came of it."""
    positive = dataset.predictions[:, 1]
    acted = positive * outcomes.true_positive + (1 - positive) * outcomes.false_positive
    left = positive * outcomes.false_negative + (1 - positive) * outcomes.true_negative
    truth = dataset.target == 1
    return np.where(
        acted > left,
        np.where(truth, outcomes.true_positive, outcomes.false_positive),
        np.where(truth, outcomes.false_negative, outcomes.true_negative),
    )


def mean_worth(value: Value | None, dataset: EvaluationDataset, rows: TrainingRows) -> float | None:
    """Return the mean worth of a prediction; None without a value, or where it is not for such predictions."""
    if value is None or not fits_predictions(value, dataset.task, dataset.predictions.shape[1]):
        return None
    return float(amounts(value, dataset, rows).mean())


def fits_predictions(value: Value, task: Task, classes: int) -> bool:
    """Tell whether a value is for predictions of the task: outcomes are of two classes, errors of numbers."""
    if value.per_unit_error is not None:
        return task is Task.REGRESSION
    return task is Task.CLASSIFICATION and (value.outcomes is None or classes == 2)
