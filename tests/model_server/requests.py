"""Requests to the pods of the tests."""

from collections.abc import Sequence
from typing import Any

import httpx

Json = dict[str, Any]


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> Json:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def flights(rows: int = 1, **columns: Json) -> Json:
    """A good request to the model of late flights; ``columns`` replaces tensors by name."""
    tensors = {
        "distance": tensor("distance", "FP64", [float(100 * (row % 50)) for row in range(rows)]),
        "wind": tensor("wind", "INT32", [row % 7 for row in range(rows)]),
        "carrier": tensor("carrier", "BYTES", [("AA", "B6", "DL", None)[row % 4] for row in range(rows)]),
        "holiday": tensor("holiday", "BOOL", [row % 3 == 0 for row in range(rows)]),
    }
    return {"inputs": list({**tensors, **columns}.values())}


def without(request: Json, name: str) -> Json:
    return {**request, "inputs": [item for item in request["inputs"] if item["name"] != name]}


def outputs(response: httpx.Response) -> dict[str, Json]:
    assert response.status_code == 200, response.text
    return {item["name"]: item for item in response.json()["outputs"]}


def ids(response: httpx.Response) -> list[str]:
    data: list[str] = outputs(response)["prediction_id"]["data"]
    return data


def labels(identities: Sequence[str], truth: Any) -> Json:
    return {"labels": [{"id": identity, "truth": truth} for identity in identities]}
