"""BentoML: a service of one API that takes a data frame."""

import os

import bentoml
import joblib
import numpy as np
import pandas as pd


@bentoml.service
class Frame:
    """Serves the model."""

    def __init__(self) -> None:
        self._model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, data: pd.DataFrame) -> np.ndarray:
        """Predict rows."""
        return self._model.predict(data)
