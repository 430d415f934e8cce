"""Requests and responses of the Open Inference Protocol as Python values, and what a tensor may be: its name, datatype and values.

What is made for each request is a named tuple, which takes a third of a frozen dataclass's time. Not here: JSON, HTTP, and what a tensor
means to the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args

from mlmodel_contract.manifest import ColumnType

from ..errors import InvalidRequest

MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 1_000
"""Of a category's value, in characters."""

ContentType = Literal["np", "pd", "str", "datetime"]
"""Values of MLServer's parameter ``content_type`` that leave the meaning of a tensor's values as it is."""

CONTENT_TYPES: tuple[str, ...] = get_args(ContentType)

FloatDatatype = Literal["FP16", "FP32", "FP64"]
FLOATS: tuple[str, ...] = get_args(FloatDatatype)
INTEGERS: Mapping[str, tuple[int, int]] = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
"""The lowest and the highest value of each datatype of whole numbers."""

COLUMN_DATATYPES: Mapping[ColumnType, tuple[str, ...]] = {
    ColumnType.NUMBER: (*FLOATS, *INTEGERS),
    ColumnType.BOOLEAN: ("BOOL",),
    ColumnType.CATEGORY: ("BYTES",),
    ColumnType.TIME: ("BYTES",),
}
"""The datatypes in which a column of a type may be sent."""

DATATYPES = frozenset(datatype for datatypes in COLUMN_DATATYPES.values() for datatype in datatypes)
DATATYPES_OF = {ColumnType.NUMBER: "FP64", ColumnType.BOOLEAN: "BOOL", ColumnType.CATEGORY: "BYTES", ColumnType.TIME: "BYTES"}
"""The datatype by which the model's metadata describe a column of a type."""

NUMBER_TYPES: frozenset[type] = frozenset({int, float, NoneType})
INTEGER_TYPES: frozenset[type] = frozenset({int, NoneType})
BOOLEAN_TYPES: frozenset[type] = frozenset({bool, NoneType})
TEXT_TYPES: frozenset[type] = frozenset({str, NoneType})
"""The Python types of values, with that of null, by what they stand for."""


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

    ``outputs`` names the wanted output tensors, in their order; None: all of them. ``binary`` names those to send as bytes, where a
    transport has more than one form; True: all of them.
    """

    inputs: tuple[Tensor, ...]
    id: str | None = None
    outputs: tuple[str, ...] | None = None
    binary: bool | frozenset[str] = False


@dataclass(frozen=True)
class TensorMetadata:
    """The metadata of a model's tensor; -1 in its shape stands for any number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelMetadata:
    """The model's metadata: its input and output tensors, and facts about it."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    parameters: Mapping[str, Any]


def check_head(index: int, name: Any, datatype: Any, shape: Any) -> tuple[str, str, tuple[int, ...]]:
    """Check and return what describes the input of that index: its name, datatype and shape.

    Raises:
        InvalidRequest: it describes no tensor.

    """
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"inputs[{index}] has no name: name the column that it holds")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"the name of inputs[{index}] is longer than {MAX_NAME_LENGTH} characters: name a column")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise InvalidRequest(f"tensor '{name}' needs a datatype: one of {', '.join(sorted(DATATYPES))}")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or any(type(size) is not int or size < 0 for size in shape):
        raise InvalidRequest(f"tensor '{name}' needs a shape: [rows] or [rows, 1] for a column, [rows, features] for a matrix")
    return name, datatype, tuple(shape)


def check_content_type(whose: str, content_type: Any) -> None:
    """Check MLServer's parameter ``content_type``: one that would change the meaning of the values is refused.

    Raises:
        InvalidRequest: it is none of ``ContentType``.

    """
    if content_type not in CONTENT_TYPES:
        raise InvalidRequest(f"{whose} has the content_type '{str(content_type)[:40]}': send one of {', '.join(CONTENT_TYPES)}, or none")
