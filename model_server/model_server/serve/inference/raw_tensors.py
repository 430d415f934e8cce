"""Tensors as raw bytes: little-endian and row-major, with its length in four bytes before each element of BYTES.

REST's binary tensor data and gRPC's raw contents are the same. Not here: where in a message the bytes are.
"""

import struct
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from mlmodel_contract.manifest import ColumnType

from ..errors import InvalidRequest
from .tensors import COLUMN_DATATYPES, OutputTensor

Raw = bytes | memoryview
_LENGTH = struct.Struct("<I")
_DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("u1"),
    **{name: np.dtype(name.lower().replace("fp", "float")).newbyteorder("<") for name in COLUMN_DATATYPES[ColumnType.NUMBER]},
}


def read_raw(name: str, datatype: str, shape: Sequence[int], raw: Raw) -> Any:
    """Return a tensor's values: an array of numbers, or a list of booleans or texts.

    Raises:
        InvalidRequest: the bytes are not those of such a tensor.

    """
    count = prod(shape)
    if datatype == "BYTES":
        return _texts(name, count, bytes(raw))
    dtype = _DTYPES[datatype]
    if len(raw) != count * dtype.itemsize:
        raise InvalidRequest(
            f"tensor '{name}' has {len(raw)} bytes, but {list(shape)} values of {datatype} are {count * dtype.itemsize}: check its shape"
        )
    values = np.frombuffer(raw, dtype)
    return _booleans(name, values) if datatype == "BOOL" else values


def write_raw(tensor: OutputTensor) -> bytes:
    """Return the bytes of an output tensor."""
    if tensor.datatype == "BYTES":
        elements = [text.encode() for text in tensor.data]
        return b"".join([part for element in elements for part in (_LENGTH.pack(len(element)), element)])
    return np.asarray(tensor.data, dtype=_DTYPES[tensor.datatype]).tobytes()


def read_text(name: str, index: int, element: bytes) -> str:
    """Return an element of BYTES as text.

    Raises:
        InvalidRequest: it is no text.

    """
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"column '{name}' has bytes at place {index} that are no UTF-8 text: send text") from error


def _booleans(name: str, values: np.ndarray) -> list[bool]:
    if values.size and values.max() > 1:
        index = int(np.argmax(values > 1))
        raise InvalidRequest(f"column '{name}' has the byte {values[index]} at place {index}: a BOOL is 0 or 1")
    booleans: list[bool] = values.astype(bool).tolist()
    return booleans


def _texts(name: str, count: int, raw: bytes) -> list[str]:
    texts: list[str] = []
    start = 0
    while start < len(raw):
        end = start + _LENGTH.size
        if end <= len(raw):
            start, end = end, end + _LENGTH.unpack_from(raw, start)[0]
        if end > len(raw):
            raise InvalidRequest(
                f"tensor '{name}' ends within the element at place {len(texts)}: put its length in 4 bytes before each element"
            )
        texts.append(read_text(name, len(texts), raw[start:end]))
        start = end
    if len(texts) != count:
        raise InvalidRequest(f"tensor '{name}' has {len(texts)} elements of BYTES, but its shape says {count}: check its shape")
    return texts
