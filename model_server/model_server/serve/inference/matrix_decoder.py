"""Fast decoder of the usual request to a model of numbers: one matrix of floats, without parameters or outputs.

Its parsers check while they parse, a small body into a list and a large one into an array, in half and in a quarter of the general
decoder's time. Every other body, valid or not, is left to the general decoder (``oip_json.py``, ``column_decoder.py``), which says what is
wrong. Not here: what is done with the rows.
"""

from typing import Any

import msgspec
import numpy as np
import simdjson
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType

from .request_rows import Floats, RequestRows
from .tensors import FLOATS, MAX_NAME_LENGTH, FloatDatatype

_LARGE_BYTES = 4_096
_BRACKETS = 3  # of inputs, shape and data; nested data have more, and the parser would flatten them


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, int]
    datatype: FloatDatatype
    data: list[float]


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: tuple[_Tensor]
    id: str | None = None


class MatrixDecoder:
    """Decodes such requests by one schema; to be used by one thread."""

    def __init__(self, schema: BundleSchema, max_rows: int) -> None:
        numbers = all(column.type is ColumnType.NUMBER for column in schema.features)
        self._width = len(schema.features) if numbers else 0
        self._columns = frozenset({schema.time, *(column.name for column in schema.features)})
        self._max_rows = max_rows
        self._decode = msgspec.json.Decoder(_Request).decode
        self._parser = simdjson.Parser()

    def decode(self, body: bytes) -> tuple[str | None, RequestRows] | None:
        """Return the request's id and rows; None where the body is left to the general decoder."""
        if not self._width:
            return None
        try:
            name, (rows, width), values, identity = self._large(body) if len(body) > _LARGE_BYTES else self._small(body)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
            return None
        fits = width == self._width and 0 < rows <= self._max_rows and len(values) == rows * width
        if not fits or name in self._columns or not 0 < len(name) <= MAX_NAME_LENGTH:
            return None
        return identity, RequestRows(rows, values, {}, None)

    def _small(self, body: bytes) -> tuple[str, tuple[int, int], list[float], str | None]:
        request = self._decode(body)
        (tensor,) = request.inputs
        return tensor.name, tensor.shape, tensor.data, request.id

    def _large(self, body: bytes) -> tuple[str, tuple[int, int], Floats, None]:
        """Decode without an object for each number. No part of the document may be referred to when the parser is used again.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, RuntimeError: it is another request, or no valid one.

        """
        document: Any = self._parser.parse(body)
        (tensor,) = document["inputs"]
        name, data, (rows, width) = tensor["name"], tensor["data"], tensor["shape"].as_list()
        if len(document) != 1 or len(tensor) != len(_Tensor.__struct_fields__) or tensor["datatype"] not in FLOATS:
            raise ValueError
        if [type(part) for part in (name, rows, width)] != [str, int, int] or body.count(b"[") != _BRACKETS:
            raise ValueError
        return name, (rows, width), np.frombuffer(data.as_buffer(of_type="d")), None
