"""KServe's protocol V1: rows as JSON, without datatypes; each column is read as the schema says.

``instances`` are rows: a list of values in the order of the features, or an object by column; ``inputs`` are the same, or an object of
whole columns. Sources: KServe's "V1 protocol" and TensorFlow Serving's REST API, which it follows. Not here: HTTP.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType

from ..errors import InvalidRequest
from ..inference.response import PREDICT, PREDICTION_ID, InferResponse
from ..inference.tensors import DATATYPES_OF, InferRequest, Tensor
from .oip_json import parse_object


class KServeV1Decoder:
    """Reads requests to one model."""

    def __init__(self, schema: BundleSchema) -> None:
        self._features = [column.name for column in schema.features]
        self._datatypes = {column.name: DATATYPES_OF[column.type] for column in schema.features}
        if schema.time:
            self._datatypes[schema.time] = DATATYPES_OF[ColumnType.TIME]

    def decode(self, body: bytes) -> InferRequest:
        """Read a request.

        Raises:
            InvalidRequest: the body is no such request; what concerns single values, the data plane says.

        """
        document = parse_object(body)
        given = [name for name in ("instances", "inputs") if name in document]
        if len(given) != 1:
            raise InvalidRequest("the request needs 'instances', a list of rows, or 'inputs'")
        rows = document[given[0]]
        columns = _columns(given[0], rows) if isinstance(rows, dict) and given[0] == "inputs" else self._by_column(given[0], rows)
        tensors = [Tensor(name, self._datatypes.get(name, "BYTES"), (len(values),), values) for name, values in columns.items()]
        return InferRequest(tuple(tensors), outputs=(PREDICT, PREDICTION_ID))

    def _by_column(self, given: str, rows: Any) -> dict[str, list[Any]]:
        if not isinstance(rows, list) or not rows:
            raise InvalidRequest(f"'{given}' must be a list of rows, with at least one")
        if isinstance(rows[0], dict):
            return _of_objects(given, rows)
        for index, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != len(self._features):
                raise InvalidRequest(f"{given}[{index}] must be a list of {len(self._features)} values: {', '.join(self._features[:20])}")
        return {name: [row[index] for row in rows] for index, name in enumerate(self._features)}


def encode(response: InferResponse) -> bytes:
    """Write the predictions, and beside them the ids by which labels come back."""
    found = {tensor.name: tensor.data for tensor in response.outputs}
    document = {"predictions": found[PREDICT], "prediction_ids": found[PREDICTION_ID]}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _of_objects(given: str, rows: list[Any]) -> dict[str, list[Any]]:
    """Put rows by column; an object may also be a piece of a data frame, with a list of values, or an object by index, for each column."""
    columns: dict[str, list[Any]] = {name: [] for name in rows[0]}
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != columns.keys():
            raise InvalidRequest(
                f"{given}[{index}] must be an object with the columns of the first row, and null where a value is not known"
            )
        for name, values in _columns(f"{given}[{index}]", row).items():
            columns[name] += values
    return columns


def _columns(whose: str, row: Mapping[str, Any]) -> dict[str, list[Any]]:
    columns = {name: _values(value) for name, value in row.items()}
    if len({len(values) for values in columns.values()}) != 1:
        raise InvalidRequest(f"{whose} must have columns of one length, and at least one")
    return columns


def _values(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]
