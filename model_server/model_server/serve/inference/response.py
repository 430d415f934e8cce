"""Predictions as the output tensors that a task has: ``predict``, ``predict_proba`` of a classification, and ``prediction_id``.

A response becomes tensors, or JSON without them, only when a transport asks for it: most ask for JSON alone. Not here: how predictions are
computed, or ids signed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.quality_metrics import Task

from ..errors import InvalidRequest
from .tensors import OutputTensor, TensorMetadata

PREDICT, PROBABILITIES, PREDICTION_ID = "predict", "predict_proba", "prediction_id"
_DATATYPES: dict[type, str] = {str: "BYTES", bool: "BOOL", int: "INT64"}

Outputs = Mapping[str, list[Any]]
"""The outputs of a batch by name: flat row-major lists."""


class _Kind(NamedTuple):
    """An output: its datatype, values per row, its shape without the rows, and its JSON with placeholders for rows and data."""

    datatype: str
    width: int
    shape: tuple[int, ...]
    template: bytes


class InferResponse:
    """The answer to an ``InferRequest``: some rows of a batch's outputs."""

    __slots__ = ("_batch", "_end", "_start", "_wanted", "_writer", "id")

    def __init__(self, writer: "OutputWriter", wanted: tuple[str, ...], batch: Outputs, start: int, end: int, identity: str | None) -> None:
        self.id = identity
        self._writer = writer
        self._wanted = wanted
        self._batch = batch
        self._start = start
        self._end = end

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self._writer.model

    @property
    def model_version(self) -> str:
        """Name of the version."""
        return self._writer.version

    @property
    def outputs(self) -> tuple[OutputTensor, ...]:
        """The wanted tensors, in the order of the request."""
        return self._writer.tensors(self._wanted, self._batch, self._start, self._end)

    def json(self) -> bytes:
        """Return the JSON of the Open Inference Protocol."""
        return self._writer.json(self._wanted, self._batch, self._start, self._end, self.id)


class OutputWriter:
    """Writes the outputs of one version of a model."""

    def __init__(self, schema: BundleSchema, model: str, version: str) -> None:
        self.model = model
        self.version = version
        self._classes = list(schema.classes)
        self._labels = np.array(self._classes, dtype=object)
        self._kinds = {PREDICT: _kind(PREDICT, "FP64")}
        if schema.task is Task.CLASSIFICATION:
            self._kinds[PREDICT] = _kind(PREDICT, _DATATYPES[type(self._classes[0])])
            self._kinds[PROBABILITIES] = _kind(PROBABILITIES, "FP64", len(self._classes))
        self._kinds[PREDICTION_ID] = _kind(PREDICTION_ID, "BYTES")
        self.all = tuple(self._kinds)
        self._head = orjson.dumps({"model_name": model, "model_version": version})[:-1].replace(b"%", b"%%")
        self._templates: dict[tuple[str, ...], bytes] = {}

    def check(self, wanted: Sequence[str] | None) -> tuple[str, ...]:
        """Return the names of the wanted outputs, all where ``wanted`` is None.

        Raises:
            InvalidRequest: the model has no such output.

        """
        for name in wanted or ():
            if name not in self._kinds:
                raise InvalidRequest(f"the model has no output '{name[:100]}': it has {', '.join(self._kinds)}")
        return tuple(wanted) if wanted else self.all

    def outputs(self, predictions: np.ndarray, ids: list[str]) -> Outputs:
        """Return the outputs of a batch; ``predictions`` is rows x classes (probabilities), or rows x 1."""
        flat = predictions.ravel().tolist()
        if not self._classes:
            return {PREDICT: flat, PREDICTION_ID: ids}
        return {PREDICT: self._labels[predictions.argmax(axis=1)].tolist(), PROBABILITIES: flat, PREDICTION_ID: ids}

    def tensors(self, names: Sequence[str], outputs: Outputs, start: int, end: int) -> tuple[OutputTensor, ...]:
        """Return the named tensors of the batch's rows from ``start`` to ``end``."""
        kinds = [(name, self._kinds[name]) for name in names]
        return tuple(
            OutputTensor(name, kind.datatype, (end - start, *kind.shape), outputs[name][start * kind.width : end * kind.width])
            for name, kind in kinds
        )

    def json(self, names: tuple[str, ...], outputs: Outputs, start: int, end: int, identity: str | None) -> bytes:
        """Return a response as JSON: a template with its values filled in, which takes a third of the time of dumping all of it."""
        template = self._templates.get(names) or self._template(names)
        values: list[Any] = [b"" if identity is None else b',"id":%b' % orjson.dumps(identity)]
        for name in names:
            width = self._kinds[name].width
            values += end - start, orjson.dumps(outputs[name][start * width : end * width])
        return template % tuple(values)

    def _template(self, names: tuple[str, ...]) -> bytes:
        """Make and cache the template of these outputs; there are few, for a name comes once at most."""
        template = b'%b%%b,"outputs":[%b]}' % (self._head, b",".join([self._kinds[name].template for name in names]))
        self._templates[names] = template
        return template

    def metadata(self) -> tuple[TensorMetadata, ...]:
        """Describe the outputs."""
        parameters: dict[str, dict[str, Any]] = {PROBABILITIES: {"classes": self._classes}}
        return tuple(TensorMetadata(name, kind.datatype, (-1, *kind.shape), parameters.get(name, {})) for name, kind in self._kinds.items())


def _kind(name: str, datatype: str, width: int | None = None) -> _Kind:
    shape = () if width is None else (width,)
    rows = b"".join([b",%d" % size for size in shape])
    template = b'{"name":"%b","shape":[%%d%b],"datatype":"%b","data":%%b}' % (name.encode(), rows, datatype.encode())
    return _Kind(datatype, width or 1, shape, template)
