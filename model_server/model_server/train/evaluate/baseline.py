"""What a guess without any feature would predict: the shares of the classes, or the mean. Every version has to be better than it.

Pure. Not here: what follows where one is not.
"""

import numpy as np
from mlmodel_contract.quality_metrics import Task

from ..data.training_rows import RunRows
from .losses import Floats


def baseline_predictions(rows: RunRows) -> Floats:
    """Return the prediction for each holdout row from the training rows: rows x classes, or rows x 1."""
    target = rows.train.target
    if rows.schema.task is Task.REGRESSION:
        return np.full((len(rows.holdout), 1), float(np.mean(target)))
    shares = np.bincount(target.astype(np.int64), minlength=len(rows.schema.classes)) / len(target)
    return np.tile(shares, (len(rows.holdout), 1))
