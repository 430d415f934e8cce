"""Requests to the pods of the tests."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

Json = dict[str, Any]
HEADER = "Inference-Header-Content-Length"
DTYPES = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    f"{sign}INT{8 * size}": f"<{code}{size}" for sign, code in (("", "i"), ("U", "u")) for size in (1, 2, 4, 8)
}


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


def raw(datatype: str, values: Sequence[Any]) -> bytes:
    """A tensor's values as bytes."""
    if datatype == "BYTES":
        return b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in values)
    return np.array(values, dtype=DTYPES[datatype]).tobytes()


def mixed(request: Json, parts: Sequence[bytes | None]) -> tuple[bytes, dict[str, str]]:
    """A body and its headers, with the inputs as the parts after the JSON; None: in the JSON."""
    inputs = []
    for item, part in zip(request["inputs"], parts, strict=True):
        if part is None:
            inputs.append(item)
            continue
        described = {key: value for key, value in item.items() if key != "data"}
        inputs.append(described | {"parameters": {"binary_data_size": len(part), **item.get("parameters", {})}})
    header = json.dumps({**request, "inputs": inputs}).encode()
    return header + b"".join(part for part in parts if part is not None), {HEADER: str(len(header))}


def binary(request: Json) -> tuple[bytes, dict[str, str]]:
    """The same request with all of its tensors as bytes."""
    return mixed(request, [raw(item["datatype"], item["data"]) for item in request["inputs"]])


def unmixed(response: httpx.Response) -> dict[str, Any]:
    """The outputs of a response by name: flat lists, or the bytes of those that came as such."""
    assert response.status_code == 200, response.text
    length = int(response.headers.get(HEADER, len(response.content)))
    rest, found = response.content[length:], {}
    for item in json.loads(response.content[:length])["outputs"]:
        if "data" in item:
            found[item["name"]] = item["data"]
        else:
            size = item["parameters"]["binary_data_size"]
            found[item["name"]], rest = rest[:size], rest[size:]
    assert not rest
    return found
