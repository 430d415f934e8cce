"""Requests and responses of the Open Inference Protocol as plain values.

What is made for each request is a tuple, which is made in a third of a frozen dataclass's time. Not here: JSON, HTTP, and what a tensor
means to the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlmodel_contract.manifest import ColumnType

from ..errors import InvalidRequest

FLOATS = frozenset({"FP16", "FP32", "FP64"})
INTEGERS: Mapping[str, tuple[int, int]] = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
DATATYPES = frozenset({"BOOL", "BYTES"}) | FLOATS | frozenset(INTEGERS)
DATATYPES_OF = {ColumnType.NUMBER: "FP64", ColumnType.BOOLEAN: "BOOL", ColumnType.CATEGORY: "BYTES", ColumnType.TIME: "BYTES"}
_CONTENT_TYPES = ("np", "pd", "str", "datetime")


class Tensor(NamedTuple):
    """An input tensor: ``data`` in row-major order, as a list, nested by ``shape`` or flat, or as a flat array of its datatype."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Any


class OutputTensor(NamedTuple):
    """An output tensor; ``data`` is flat and row-major: a list, or a float64 array."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Any


class InferRequest(NamedTuple):
    """Rows to predict.

    ``outputs`` names the tensors that are wanted, in their order; all of them where it is None. ``binary`` names those that a transport
    with more than one form is to send as bytes; True: all of them.
    """

    inputs: tuple[Tensor, ...]
    id: str | None = None
    outputs: tuple[str, ...] | None = None
    binary: bool | frozenset[str] = False


@dataclass(frozen=True)
class TensorMetadata:
    """What a tensor of a model looks like; -1 stands for any number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelMetadata:
    """What the model takes and gives."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    parameters: Mapping[str, Any]


def check_head(place: int, name: Any, datatype: Any, shape: Any) -> tuple[str, str, tuple[int, ...]]:
    """Check what is said of the input at that place, and return it: its name, datatype and shape.

    Raises:
        InvalidRequest: it describes no tensor.

    """
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"inputs[{place}] has no name: name the column that it holds")
    if len(name) > 200:
        raise InvalidRequest(f"the name of inputs[{place}] is longer than 200 characters: name a column")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise InvalidRequest(f"tensor '{name}' needs a datatype: one of {', '.join(sorted(DATATYPES))}")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or any(type(size) is not int or size < 0 for size in shape):
        raise InvalidRequest(f"tensor '{name}' needs a shape: [rows] or [rows, 1] for a column, [rows, features] for a matrix")
    return name, datatype, tuple(shape)


def check_content_type(whose: str, content_type: Any) -> None:
    """Check a parameter of MLServer's: one that would change the meaning of the values is not taken.

    Raises:
        InvalidRequest: the content type is none that values have here.

    """
    if content_type not in _CONTENT_TYPES:
        raise InvalidRequest(f"{whose} has the content_type '{str(content_type)[:40]}': send one of {', '.join(_CONTENT_TYPES)}, or none")
