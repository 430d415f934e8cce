"""Fast decoder of the usual request to a model with columns of all types: a tensor for each column, without outputs.

The names, datatypes and shapes of its tensors are the same in request after request, so they are checked once, and cached as a plan of
which tensor is which column; of each request only the values are checked, which takes a third of the general decoder's time. Every other
body, valid or not, is left to the general decoder (``oip_json.py``, ``column_decoder.py``), which says what is wrong. Not here: what is
done with the rows.
"""

from itertools import chain
from typing import Any, NamedTuple

import msgspec
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType

from .request_rows import RequestRows
from .tensors import BOOLEAN_TYPES, COLUMN_DATATYPES, FLOATS, MAX_TEXT_LENGTH, NUMBER_TYPES, TEXT_TYPES, ContentType

_DATATYPES = {**COLUMN_DATATYPES, ColumnType.NUMBER: FLOATS}  # the range of whole numbers is not checked here
_MAX_INTEGER = 2**64
_MAX_PLANS = 256

Signature = tuple[tuple[str, str, tuple[int, ...]], ...]
"""Name, datatype and shape of each tensor."""


class _Parameters(msgspec.Struct, forbid_unknown_fields=True):
    content_type: ContentType


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, ...]
    datatype: str
    data: list[Any]
    parameters: _Parameters | None = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Tensor]
    id: str | None = None
    parameters: _Parameters | None = None


class _Plan(NamedTuple):
    """Indices of a request's tensors: of numbers and booleans in the schema's order, of numbers, of booleans, and of categories by name."""

    rows: int
    numeric: list[int]
    numbers: list[int]
    booleans: list[int]
    texts: list[tuple[str, int]]


class NamedDecoder:
    """Decodes such requests by one schema."""

    def __init__(self, schema: BundleSchema, max_rows: int) -> None:
        self._features = schema.features
        self._max_rows = max_rows
        self._decode = msgspec.json.Decoder(_Request).decode
        self._plans: dict[Signature, _Plan | None] = {}

    def decode(self, body: bytes) -> tuple[str | None, RequestRows] | None:
        """Return the request's id and rows; None where the body is left to the general decoder."""
        try:
            request = self._decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return None
        signature = tuple([(tensor.name, tensor.datatype, tensor.shape) for tensor in request.inputs])
        plan = self._plans[signature] if signature in self._plans else self._cache_plan(signature)
        if plan is None:
            return None
        data = [tensor.data for tensor in request.inputs]
        return (request.id, _rows(plan, data)) if _fits(plan, data) else None

    def _cache_plan(self, signature: Signature) -> _Plan | None:
        if len(self._plans) >= _MAX_PLANS:
            self._plans.clear()
        plan = self._plans[signature] = self._plan(signature)
        return plan

    def _plan(self, signature: Signature) -> _Plan | None:
        """Return the plan of a request that has each feature once and nothing else."""
        indices = {name: index for index, (name, _, _) in enumerate(signature)}
        if len(signature) != len(self._features) or indices.keys() != {column.name for column in self._features}:
            return None
        rows = signature[0][2][0] if signature[0][2] else 0
        is_usual = all(
            signature[indices[column.name]][1] in _DATATYPES[column.type] and signature[indices[column.name]][2] in ((rows,), (rows, 1))
            for column in self._features
        )
        if not is_usual or not 0 < rows <= self._max_rows:
            return None

        def indices_of(*types: ColumnType) -> list[int]:
            return [indices[column.name] for column in self._features if column.type in types]

        return _Plan(
            rows,
            indices_of(ColumnType.NUMBER, ColumnType.BOOLEAN),
            indices_of(ColumnType.NUMBER),
            indices_of(ColumnType.BOOLEAN),
            [(column.name, indices[column.name]) for column in self._features if column.type is ColumnType.CATEGORY],
        )


def _fits(plan: _Plan, data: list[list[Any]]) -> bool:
    """Return whether the values are of their columns' types, and as many as there are rows."""
    numbers = list(chain.from_iterable([data[index] for index in plan.numbers]))
    booleans = chain.from_iterable([data[index] for index in plan.booleans])
    texts = list(chain.from_iterable([data[index] for _, index in plan.texts]))
    return (
        set(map(len, data)) == {plan.rows}
        and NUMBER_TYPES.issuperset(types := set(map(type, numbers)))
        and (int not in types or all(abs(value) < _MAX_INTEGER for value in numbers if type(value) is int))
        and BOOLEAN_TYPES.issuperset(map(type, booleans))
        and TEXT_TYPES.issuperset(map(type, texts))
        and max(map(len, filter(None, texts)), default=0) <= MAX_TEXT_LENGTH
    )


def _rows(plan: _Plan, data: list[list[Any]]) -> RequestRows:
    """Return the rows; a missing number becomes NaN in the array that the list becomes."""
    columns = [data[index] for index in plan.numeric]
    flat = list(chain.from_iterable(columns if plan.rows == 1 else zip(*columns, strict=True)))
    return RequestRows(plan.rows, flat, {name: data[index] for name, index in plan.texts}, None)
