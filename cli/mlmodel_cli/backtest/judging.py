"""What each prediction cost: its loss, by which versions and schedules are compared, and what it was worth where that is told.

Not here: means over rows and periods.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlmodel_contract.quality_metrics import Task
from model_server.train.data.training_rows import UNKNOWN_CLASS, TrainingRows
from model_server.train.evaluate.evaluation import EvaluationDataset
from model_server.train.evaluate.losses import loss

from .stream import Floats, Stream

Valuation = Callable[[EvaluationDataset, TrainingRows], Floats]
"""Returns what each prediction was worth, from the predictions, the truth, and the rows themselves."""


@dataclass(frozen=True)
class Judgement:
    """By row: the loss (log loss in nats, or squared error), and the amount where predictions have a value; NaN where nothing is known."""

    losses: Floats
    amounts: Floats | None

    @classmethod
    def of_nothing(cls, rows: int, valuation: Valuation | None) -> "Judgement":
        """Return the judgement of rows of which nothing is known."""
        return cls(np.full(rows, np.nan), np.full(rows, np.nan) if valuation else None)

    def put(self, start: int, part: "Judgement") -> None:
        """Write what is known of the rows from ``start`` on."""
        self.losses[start : start + len(part.losses)] = part.losses
        if self.amounts is not None and part.amounts is not None:
            self.amounts[start : start + len(part.amounts)] = part.amounts


def judge(stream: Stream, start: int, classes: Sequence[Any], predictions: Floats, valuation: Valuation | None) -> Judgement:
    """Judge predictions of the stream's rows from ``start`` on.

    Args:
        stream: has the truth.
        start: the row that the first prediction is of.
        classes: those that the predictions' columns are of; none of a regression.
        predictions: rows x classes, or rows x 1.
        valuation: what they were worth; None where nobody said so.

    """
    stop = start + len(predictions)
    known = np.isfinite(stream.target[start:stop])
    truth = np.where(known, stream.target[start:stop], 0.0)
    if stream.task is Task.CLASSIFICATION:
        codes = np.array([classes.index(value) if value in classes else UNKNOWN_CLASS for value in stream.classes], dtype=np.float64)
        truth = codes[truth.astype(np.int64)]
    losses = np.where(known, loss(stream.task, predictions, truth), np.nan)
    if valuation is None:
        return Judgement(losses, None)
    amounts = valuation(EvaluationDataset(stream.task, predictions, truth), TrainingRows(stream.columns(start, stop), truth))
    return Judgement(losses, np.where(known, amounts, np.nan))
