"""BentoML: a service of one API that takes a matrix."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service
class Matrix:
    """Serves the model."""

    def __init__(self) -> None:
        self._model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, data: np.ndarray) -> np.ndarray:
        """Predict rows."""
        return self._model.predict(data)
