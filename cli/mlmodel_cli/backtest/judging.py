"""What each prediction cost: its loss, by which versions and schedules are compared.

Not here: means over rows and periods.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mlmodel_contract.quality_metrics import Task
from model_server.train.data.training_rows import UNKNOWN_CLASS
from model_server.train.evaluate.losses import loss

from .stream import Floats, Stream


def row_losses(stream: Stream, start: int, classes: Sequence[Any], predictions: Floats) -> Floats:
    """Return the loss of each row: log loss in nats, or squared error; NaN where the truth is not known.

    Args:
        stream: has the truth.
        start: the stream's row that the first prediction is of.
        classes: those that the predictions' columns are of; none of a regression.
        predictions: rows x classes, or rows x 1.

    """
    target = stream.target[start : start + len(predictions)]
    known = np.isfinite(target)
    truth = np.where(known, target, 0.0)
    if stream.task is Task.CLASSIFICATION:
        codes = np.array([classes.index(value) if value in classes else UNKNOWN_CLASS for value in stream.classes], dtype=np.float64)
        truth = codes[truth.astype(np.int64)]
    return np.where(known, loss(stream.task, predictions, truth), np.nan)
