"""Predictions as the output tensors that a task has: ``predict``, ``predict_proba`` of a classification, and ``prediction_id``.

Not here: how predictions are computed, or ids signed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.metrics import Task

from .errors import InvalidRequest
from .tensors import OutputTensor, TensorMetadata

PREDICT, PROBABILITIES, PREDICTION_ID = "predict", "predict_proba", "prediction_id"
_DATATYPES: dict[type, str] = {str: "BYTES", bool: "BOOL", int: "INT64"}


class OutputWriter:
    """Writes the outputs of one model."""

    def __init__(self, schema: BundleSchema) -> None:
        self._classes: list[Any] = list(schema.classes)
        self._classifies = schema.task is Task.CLASSIFICATION
        self._writers: dict[str, Callable[[np.ndarray, list[str]], OutputTensor]] = {PREDICT: self._predict}
        if self._classifies:
            self._writers[PROBABILITIES] = self._probabilities
        self._writers[PREDICTION_ID] = self._ids

    def check(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """Return the names of the wanted outputs, all where ``wanted`` is None.

        Raises:
            InvalidRequest: the model has no such output.

        """
        for name in wanted or ():
            if name not in self._writers:
                raise InvalidRequest(f"the model has no output '{name[:100]}': it has {', '.join(self._writers)}")
        return tuple(wanted or self._writers)

    def write(self, names: Sequence[str], predictions: np.ndarray, ids: list[str]) -> tuple[OutputTensor, ...]:
        """Return the named tensors for ``predictions``: rows x classes probabilities, or rows x 1 numbers."""
        return tuple(self._writers[name](predictions, ids) for name in names)

    def metadata(self) -> tuple[TensorMetadata, ...]:
        """Describe the outputs."""
        shapes = {PROBABILITIES: (-1, len(self._classes))}
        datatypes = {PREDICT: self._label_datatype, PROBABILITIES: "FP64", PREDICTION_ID: "BYTES"}
        parameters: dict[str, dict[str, Any]] = {PROBABILITIES: {"classes": self._classes}}
        return tuple(TensorMetadata(name, datatypes[name], shapes.get(name, (-1,)), parameters.get(name, {})) for name in self._writers)

    @property
    def _label_datatype(self) -> str:
        return _DATATYPES[type(self._classes[0])] if self._classifies else "FP64"

    def _predict(self, predictions: np.ndarray, ids: list[str]) -> OutputTensor:
        if not self._classifies:
            return OutputTensor(PREDICT, "FP64", (len(ids),), np.ascontiguousarray(predictions[:, 0]))
        labels = [self._classes[place] for place in predictions.argmax(axis=1).tolist()]
        return OutputTensor(PREDICT, self._label_datatype, (len(ids),), labels)

    def _probabilities(self, predictions: np.ndarray, _ids: list[str]) -> OutputTensor:
        return OutputTensor(PROBABILITIES, "FP64", predictions.shape, np.ascontiguousarray(predictions).ravel())

    def _ids(self, _predictions: np.ndarray, ids: list[str]) -> OutputTensor:
        return OutputTensor(PREDICTION_ID, "BYTES", (len(ids),), ids)
