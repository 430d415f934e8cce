"""The request that clients of a model with all kinds of columns mostly send: a tensor for each column, and nothing that asks for more.

What its tensors are named and declare is the same in request after request, so it is checked once, and kept as a plan of which tensor is
which column; of each request only the values are checked, which takes a third of the general way's time. Whatever is another request, or
none, is left to that way (``wire.py``, ``columns.py``), which says what is wrong. Not here: what is done with the rows.
"""

from itertools import chain
from typing import Any, Literal, NamedTuple

import msgspec
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType

from .column_decoder import BOOLEANS, LONGEST_TEXT, REALS, TEXTS
from .request_rows import RequestRows
from .tensors import FLOATS

_DATATYPES = {ColumnType.NUMBER: FLOATS, ColumnType.BOOLEAN: frozenset({"BOOL"}), ColumnType.CATEGORY: frozenset({"BYTES"})}
_LARGEST_WHOLE = 2**64
_MOST_PLANS = 256

Signature = tuple[tuple[str, str, tuple[int, ...]], ...]
"""Name, datatype and shape of each tensor."""


class _Parameters(msgspec.Struct, forbid_unknown_fields=True):
    content_type: Literal["np", "pd", "str", "datetime"]


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
    """The places of tensors among a request's: of numbers and booleans in the schema's order, of booleans alone, of categories by name."""

    rows: int
    numeric: list[int]
    numbers: list[int]
    booleans: list[int]
    texts: list[tuple[str, int]]


class NamedDecoder:
    """Reads such requests by one schema."""

    def __init__(self, schema: BundleSchema, max_rows: int) -> None:
        self._features = schema.features
        self._max_rows = max_rows
        self._decode = msgspec.json.Decoder(_Request).decode
        self._plans: dict[Signature, _Plan | None] = {}

    def read(self, body: bytes) -> tuple[str | None, RequestRows] | None:
        """Return the request's id and rows, or None where the general way is to read it."""
        try:
            request = self._decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return None
        signature = tuple([(tensor.name, tensor.datatype, tensor.shape) for tensor in request.inputs])
        plan = self._plans[signature] if signature in self._plans else self._learn(signature)
        if plan is None:
            return None
        data = [tensor.data for tensor in request.inputs]
        return (request.id, _rows(plan, data)) if _fits(plan, data) else None

    def _learn(self, signature: Signature) -> _Plan | None:
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        plan = self._plans[signature] = self._plan(signature)
        return plan

    def _plan(self, signature: Signature) -> _Plan | None:
        """Return the plan of a request that has each feature once and nothing else."""
        places = {name: place for place, (name, _, _) in enumerate(signature)}
        if len(signature) != len(self._features) or places.keys() != {column.name for column in self._features}:
            return None
        rows = signature[0][2][0] if signature[0][2] else 0
        declared = all(
            signature[places[column.name]][1] in _DATATYPES[column.type] and signature[places[column.name]][2] in ((rows,), (rows, 1))
            for column in self._features
        )
        if not declared or not 0 < rows <= self._max_rows:
            return None
        of_type = {kind: [places[column.name] for column in self._features if column.type is kind] for kind in _DATATYPES}
        return _Plan(
            rows,
            [places[column.name] for column in self._features if column.type is not ColumnType.CATEGORY],
            of_type[ColumnType.NUMBER],
            of_type[ColumnType.BOOLEAN],
            [(column.name, places[column.name]) for column in self._features if column.type is ColumnType.CATEGORY],
        )


def _fits(plan: _Plan, data: list[list[Any]]) -> bool:
    """Tell whether the values are of their columns' types, and as many as rows."""
    numbers = list(chain.from_iterable([data[place] for place in plan.numbers]))
    booleans = chain.from_iterable([data[place] for place in plan.booleans])
    texts = list(chain.from_iterable([data[place] for _, place in plan.texts]))
    return (
        set(map(len, data)) == {plan.rows}
        and REALS.issuperset(types := set(map(type, numbers)))
        and (int not in types or all(abs(value) < _LARGEST_WHOLE for value in numbers if type(value) is int))
        and BOOLEANS.issuperset(map(type, booleans))
        and TEXTS.issuperset(map(type, texts))
        and max(map(len, filter(None, texts)), default=0) <= LONGEST_TEXT
    )


def _rows(plan: _Plan, data: list[list[Any]]) -> RequestRows:
    """Return the rows; a missing number becomes NaN in the array that the list becomes."""
    columns = [data[place] for place in plan.numeric]
    flat = list(chain.from_iterable(columns if plan.rows == 1 else zip(*columns, strict=True)))
    return RequestRows(plan.rows, flat, {name: data[place] for name, place in plan.texts}, None)
