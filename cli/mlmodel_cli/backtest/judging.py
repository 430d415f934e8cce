"""What each prediction cost: its loss, by which versions and schedules are compared, and what it was worth by ``objective.value``.

Not here: means over rows and periods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlmodel_contract.manifest import ColumnType, Value
from mlmodel_contract.quality_metrics import Task
from model_server.train.data.training_rows import UNKNOWN_CLASS, TrainingRows
from model_server.train.evaluate.evaluation import EvaluationDataset
from model_server.train.evaluate.losses import loss
from model_server.train.evaluate.worth import amounts, fits_predictions

from .settings import BacktestError
from .stream import Floats, Stream


@dataclass(frozen=True)
class Judgement:
    """By row: the loss (log loss in nats, or squared error), and the amount where predictions have a value; NaN where nothing is known."""

    losses: Floats
    amounts: Floats | None

    @classmethod
    def of_nothing(cls, rows: int, value: Value | None) -> "Judgement":
        """Return the judgement of rows of which nothing is known."""
        return cls(np.full(rows, np.nan), None if value is None else np.full(rows, np.nan))

    def put(self, start: int, part: "Judgement") -> None:
        """Write what is known of the rows from ``start`` on."""
        self.losses[start : start + len(part.losses)] = part.losses
        if self.amounts is not None and part.amounts is not None:
            self.amounts[start : start + len(part.amounts)] = part.amounts


def judge(stream: Stream, start: int, classes: Sequence[Any], predictions: Floats, value: Value | None) -> Judgement:
    """Judge predictions of the stream's rows from ``start`` on.

    Args:
        stream: has the truth.
        start: the row that the first prediction is of.
        classes: those that the predictions' columns are of; none of a regression.
        predictions: rows x classes, or rows x 1.
        value: what a prediction is worth, as ``checked_value`` has it; None where nobody said so.

    """
    stop = start + len(predictions)
    known = np.isfinite(stream.target[start:stop])
    truth = np.where(known, stream.target[start:stop], 0.0)
    if stream.task is Task.CLASSIFICATION:
        codes = np.array([classes.index(value) if value in classes else UNKNOWN_CLASS for value in stream.classes], dtype=np.float64)
        truth = codes[truth.astype(np.int64)]
    losses = np.where(known, loss(stream.task, predictions, truth), np.nan)
    if value is None:
        return Judgement(losses, None)
    worth = amounts(value, EvaluationDataset(stream.task, predictions, truth), TrainingRows(stream.columns(start, stop), truth))
    return Judgement(losses, np.where(known, worth, np.nan))


def checked_value(value: Value | None, stream: Stream) -> Value | None:
    """Return the value that the stream's predictions have; None where nobody said so, or where outcomes are not of two classes.

    Raises:
        BacktestError: the value is not for the task or the columns; in a cluster the API server refuses it.

    """
    if value is None:
        return None
    if sum(part is not None for part in (value.outcomes, value.column, value.per_unit_error)) != 1:
        raise BacktestError("objective.value needs exactly one of outcomes, column and perUnitError: leave one")
    if (value.per_unit_error is not None) != (stream.task is Task.REGRESSION):
        raise BacktestError("objective.value: perUnitError is for Regression; outcomes and column are for Classification: write the other")
    numbers = {column.name for column in stream.data.features if column.type is ColumnType.NUMBER}
    if value.column is not None and value.column not in numbers:
        raise BacktestError(f"objective.value.column '{value.column}' is no feature of type number: name one of data.columns")
    return value if fits_predictions(value, stream.task, len(stream.classes)) else None
