"""Predictions as the output tensors that a task has: ``predict``, ``predict_proba`` of a classification, and ``prediction_id``.

Not here: how predictions are computed, or ids signed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.metrics import Task

from .errors import InvalidRequest
from .tensors import OutputTensor, TensorMetadata

PREDICT, PROBABILITIES, PREDICTION_ID = "predict", "predict_proba", "prediction_id"
_DATATYPES: dict[type, str] = {str: "BYTES", bool: "BOOL", int: "INT64"}


class Outputs(NamedTuple):
    """What a batch gives, as flat lists: a label for each row, a probability for each row and class (none of a regression), and the ids."""

    labels: list[Any]
    probabilities: list[float]
    ids: list[str]


class OutputWriter:
    """Writes the outputs of one model."""

    def __init__(self, schema: BundleSchema) -> None:
        self._classes: list[Any] = list(schema.classes)
        self._classifies = schema.task is Task.CLASSIFICATION
        self._label_datatype = _DATATYPES[type(self._classes[0])] if self._classifies else "FP64"
        self._writers: dict[str, Callable[[Outputs, int, int], OutputTensor]] = {PREDICT: self._predict}
        if self._classifies:
            self._writers[PROBABILITIES] = self._probabilities
        self._writers[PREDICTION_ID] = self._ids
        self._all = tuple(self._writers)

    def check(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """Return the names of the wanted outputs, all where ``wanted`` is None.

        Raises:
            InvalidRequest: the model has no such output.

        """
        for name in wanted or ():
            if name not in self._writers:
                raise InvalidRequest(f"the model has no output '{name[:100]}': it has {', '.join(self._writers)}")
        return tuple(wanted) if wanted else self._all

    def outputs(self, predictions: np.ndarray, ids: list[str]) -> Outputs:
        """Return what a batch gives; ``predictions`` are rows x classes probabilities, or rows x 1 numbers."""
        if not self._classifies:
            return Outputs(predictions[:, 0].tolist(), [], ids)
        labels = [self._classes[place] for place in predictions.argmax(axis=1).tolist()]
        return Outputs(labels, predictions.ravel().tolist(), ids)

    def write(self, names: Sequence[str], outputs: Outputs, start: int, end: int) -> tuple[OutputTensor, ...]:
        """Return the named tensors of the batch's rows from ``start`` to ``end``."""
        return tuple([self._writers[name](outputs, start, end) for name in names])

    def metadata(self) -> tuple[TensorMetadata, ...]:
        """Describe the outputs."""
        shapes = {PROBABILITIES: (-1, len(self._classes))}
        datatypes = {PREDICT: self._label_datatype, PROBABILITIES: "FP64", PREDICTION_ID: "BYTES"}
        parameters: dict[str, dict[str, Any]] = {PROBABILITIES: {"classes": self._classes}}
        return tuple(TensorMetadata(name, datatypes[name], shapes.get(name, (-1,)), parameters.get(name, {})) for name in self._writers)

    def _predict(self, outputs: Outputs, start: int, end: int) -> OutputTensor:
        return OutputTensor(PREDICT, self._label_datatype, (end - start,), outputs.labels[start:end])

    def _probabilities(self, outputs: Outputs, start: int, end: int) -> OutputTensor:
        width = len(self._classes)
        return OutputTensor(PROBABILITIES, "FP64", (end - start, width), outputs.probabilities[start * width : end * width])

    def _ids(self, outputs: Outputs, start: int, end: int) -> OutputTensor:
        return OutputTensor(PREDICTION_ID, "BYTES", (end - start,), outputs.ids[start:end])
