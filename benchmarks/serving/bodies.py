"""The requests: rows drawn anew, in the forms that the servers accept.

Not here: sending them.
"""

import json
from typing import Any, Literal

from benchmarks.serving.models import Columns, Kind

Form = Literal["matrix", "named", "columns"]
"""``matrix``: the Open Inference Protocol, one tensor for a model of numbers, one per column for others; ``columns``: the same with the
columns' shape [rows, 1], as Triton takes them; ``named``: BentoML's, an argument by name."""

_SEED = 1_000


def draw_requests(kind: Kind, rows: int, number: int) -> list[Columns]:
    """Return the rows of ``number`` requests."""
    return [kind.draw(rows, _SEED + index) for index in range(number)]


def body(columns: Columns, form: Form = "matrix") -> bytes:
    """Write one request as JSON."""
    texts = any(isinstance(values[0], str) for values in columns.values())
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    if form == "named":
        return _json({"data": [dict(zip(columns, row, strict=True)) for row in rows] if texts else rows})
    if not texts:
        flat = [value for row in rows for value in row]
        return _json({"inputs": [{"name": "predict", "shape": [len(rows), len(columns)], "datatype": "FP64", "data": flat}]})
    shape = [len(rows), 1] if form == "columns" else [len(rows)]
    tensors = [_tensor(name, shape, values) for name, values in columns.items()]
    return _json({"parameters": {"content_type": "pd"}, "inputs": tensors})


def _tensor(name: str, shape: list[int], values: list[Any]) -> dict[str, Any]:
    if not isinstance(values[0], str):
        return {"name": name, "shape": shape, "datatype": "FP64", "data": values}
    return {"name": name, "shape": shape, "datatype": "BYTES", "parameters": {"content_type": "str"}, "data": values}


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
