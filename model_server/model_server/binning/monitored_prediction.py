"""The one number that a prediction is counted by, for the trainer and the sidecar alike.

Not here: counting it.
"""

import numpy as np
from mlmodel_contract.quality_metrics import Task
from numpy.typing import NDArray


def monitored_prediction(predictions: NDArray[np.float64], task: Task) -> NDArray[np.float64]:
    """Return, for each prediction, the positive class's or the highest probability, or the number.

    Args:
        predictions: rows x classes, or rows x 1.
        task: what is predicted.

    """
    if task is Task.REGRESSION or predictions.shape[1] == 1:
        return predictions[:, 0]
    return predictions[:, 1] if predictions.shape[1] == 2 else predictions.max(axis=1)
