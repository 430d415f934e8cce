"""Requests and responses of the Open Inference Protocol as plain values.

What is made for each request is a tuple, which is made in a third of a frozen dataclass's time. Not here: JSON, HTTP, and what a tensor
means to the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FLOATS = frozenset({"FP16", "FP32", "FP64"})
INTEGERS: Mapping[str, tuple[int, int]] = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
DATATYPES = frozenset({"BOOL", "BYTES"}) | FLOATS | frozenset(INTEGERS)


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


class InferResponse(NamedTuple):
    """The answer to an ``InferRequest``."""

    model_name: str
    model_version: str
    outputs: tuple[OutputTensor, ...]
    id: str | None = None


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
