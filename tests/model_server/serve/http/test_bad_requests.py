"""A bad request gets a 4xx that names what is wrong, and harms nobody else."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod
from tests.model_server.support.request_bodies import Json, flights, tensor, without

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def flight_pod() -> Iterator[ServerPod]:
    with pod(late_flights()) as made:
        made.environment["MLMODEL_MAX_ROWS"] = "1000"
        made.serve()
        yield made
        assert made.infer(flights(3)).status_code == 200
        assert made.served("requests_total", code="500") == 0


def replaced(**columns: Json) -> Json:
    return flights(2, **columns)


BAD_COLUMNS: dict[str, tuple[Json, list[str]]] = {
    "missing column": (without(flights(2), "carrier"), ["'carrier'", "missing"]),
    "unknown column": (replaced(colour=tensor("colour", "BYTES", ["a", "b"])), ["'colour'", "unknown", "distance"]),
    "target as a column": (replaced(late=tensor("late", "BOOL", [True, False])), ["'late'", "unknown"]),
    "column twice": ({"inputs": [*flights(2)["inputs"], flights(2)["inputs"][0]]}, ["'distance'", "twice"]),
    "text for a number": (replaced(distance=tensor("distance", "FP64", [1.0, "2"])), ["'distance'", "'2'", "place 1", "number"]),
    "boolean for a number": (replaced(wind=tensor("wind", "INT32", [1, True])), ["'wind'", "True", "whole number"]),
    "fraction for an integer": (replaced(wind=tensor("wind", "INT32", [1, 1.5])), ["'wind'", "1.5", "INT32"]),
    "number beyond its datatype": (replaced(wind=tensor("wind", "UINT8", [1, 256])), ["'wind'", "256", "UINT8"]),
    "negative unsigned": (replaced(wind=tensor("wind", "UINT16", [-1, 2])), ["'wind'", "-1", "UINT16"]),
    "number beyond float32": (replaced(distance=tensor("distance", "FP64", [1e300, 1.0])), ["'distance'", "1e+300", "too large"]),
    "number for a category": (replaced(carrier=tensor("carrier", "BYTES", ["AA", 5])), ["'carrier'", "5", "text"]),
    "datatype of a number for a category": (replaced(carrier=tensor("carrier", "INT64", [1, 2])), ["'carrier'", "INT64", "BYTES"]),
    "datatype of text for a number": (replaced(distance=tensor("distance", "BYTES", ["1", "2"])), ["'distance'", "BYTES", "FP64"]),
    "number for a boolean": (replaced(holiday=tensor("holiday", "BOOL", [1, 0])), ["'holiday'", "true, false"]),
    "datatype of a number for a boolean": (replaced(holiday=tensor("holiday", "FP32", [1, 0])), ["'holiday'", "FP32", "BOOL"]),
    "endless category": (replaced(carrier=tensor("carrier", "BYTES", ["A" * 1001, "B"])), ["'carrier'", "1000 characters"]),
    "no time": (replaced(departure=tensor("departure", "BYTES", ["noon", None])), ["'departure'", "'noon'", "ISO 8601"]),
    "time beyond the calendar": (
        replaced(departure=tensor("departure", "BYTES", ["0001-01-01T00:00:00+14:00", None])),
        ["'departure'", "ISO 8601"],
    ),
    "lengths that differ": (replaced(wind=tensor("wind", "FP64", [1.0])), ["'distance' has 2", "'wind' 1", "same number"]),
    "shape and data differ": (replaced(wind=tensor("wind", "FP64", [1.0, 2.0, 3.0], [2])), ["'wind'", "[2]", "3 values"]),
    "nested data and shape differ": (replaced(wind=tensor("wind", "FP64", [[1.0, 2.0], [3.0]], [2, 1])), ["'wind'", "[2, 1]"]),
    "lists in a column": (replaced(wind=tensor("wind", "FP64", [1.0, [2.0]])), ["'wind'", "a list"]),
    "objects in a column": (replaced(carrier=tensor("carrier", "BYTES", [{}, "AA"])), ["'carrier'", "an object"]),
    "wide column": (replaced(wind=tensor("wind", "FP64", [1.0] * 4, [2, 2])), ["'wind'", "[2, 2]", "[rows, 1]"]),
    "matrix with a category in the model": ({"inputs": [tensor("m", "FP64", [1.0] * 4, [1, 4])]}, ["matrix", "'carrier'", "category"]),
    "no rows": ({"inputs": [tensor(item["name"], item["datatype"], []) for item in flights(1)["inputs"]]}, ["no rows"]),
    "unknown output": ({**flights(1), "outputs": [{"name": "embedding"}]}, ["'embedding'", "predict_proba"]),
}


@pytest.mark.parametrize(("request_", "parts"), BAD_COLUMNS.values(), ids=BAD_COLUMNS)
def test_columns_that_do_not_fit_the_schema(flight_pod: ServerPod, request_: Json, parts: list[str]) -> None:
    response = flight_pod.infer(request_)
    assert response.status_code == 400, response.text
    assert list(response.json()) == ["error"]
    for part in parts:
        assert part in response.json()["error"]


BAD_DOCUMENTS: dict[str, tuple[Any, str]] = {
    "empty": (b"", "no valid JSON"),
    "junk": (b"\x00\xff\xfe junk", "no valid JSON"),
    "cut off": (json.dumps(flights(1)).encode()[:-5], "no valid JSON"),
    "deep nesting": (b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no valid JSON"),
    "deep nesting with NaN": (b'{"inputs": [NaN, ' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "no valid JSON"),
    "nesting in the data": (json.dumps(flights(1, wind=tensor("wind", "FP64", [[[[1.0]]]], [1, 1]))).encode(), "'wind'"),
    "infinity": (json.dumps(flights(1, wind=tensor("wind", "FP64", [float("inf")]))).encode(), "no valid JSON"),
    "infinity beside NaN": (b'{"inputs": [NaN, Infinity]}', "no JSON number"),
    "half a character beside NaN": (b'{"inputs": [NaN, "\\ud800"]}', "no valid JSON"),
    "a list": (b"[1, 2]", "JSON object"),
    "no inputs": (b"{}", "'inputs'"),
    "inputs of a wrong type": (b'{"inputs": {"distance": 1}}', "'inputs'"),
    "input without a name": (b'{"inputs": [{"datatype": "FP64"}]}', "inputs[0] has no name"),
    "input that is a number": (b'{"inputs": [5]}', "inputs[0]"),
    "unknown datatype": (json.dumps({"inputs": [tensor("wind", "FLOAT", [1.0])]}).encode(), "'wind' needs a datatype"),
    "no data": (b'{"inputs": [{"name": "wind", "datatype": "FP64", "shape": [1]}]}', "'wind' needs data"),
    "negative shape": (json.dumps({"inputs": [tensor("wind", "FP64", [1.0], [-1])]}).encode(), "'wind' needs a shape"),
    "shape of three dimensions": (json.dumps({"inputs": [tensor("wind", "FP64", [1.0], [1, 1, 1])]}).encode(), "'wind' needs a shape"),
    "id of a wrong type": (json.dumps({**flights(1), "id": 5}).encode(), "'id'"),
    "outputs of a wrong type": (json.dumps({**flights(1), "outputs": ["predict"]}).encode(), "'outputs'"),
}


@pytest.mark.parametrize(("body", "part"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_bodies_that_are_no_request(flight_pod: ServerPod, body: bytes, part: str) -> None:
    response = flight_pod.infer(body)
    assert response.status_code == 400, response.text
    assert part in response.json()["error"]


def test_ten_megabytes_of_junk_are_refused(flight_pod: ServerPod) -> None:
    response = flight_pod.infer(b"\xff" * (10 * MEGABYTE))
    assert response.status_code == 413
    assert "8388608 bytes" in response.json()["error"]


def test_ten_megabytes_of_unknown_length_are_refused(flight_pod: ServerPod) -> None:
    chunks = (b"[" * MEGABYTE for _ in range(10))
    response = flight_pod.infer(chunks)
    assert response.status_code == 413


def test_junk_within_the_limit_is_refused(flight_pod: ServerPod) -> None:
    assert flight_pod.infer(b"[" * (8 * MEGABYTE)).status_code == 400


def test_too_many_rows_are_refused(flight_pod: ServerPod) -> None:
    response = flight_pod.infer(flights(1001))
    assert response.status_code == 413
    assert "1001 rows" in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/y", 404),
        ("GET", "/v2/models/x/versions/x-v9", 404),
        ("POST", "/v2/models/y/infer", 404),
        ("POST", "/v2/models/x/versions/x-v9/infer", 404),
        ("POST", "/v2/models/y/feedback", 404),
        ("GET", "/v2/models/x/infer", 405),
        ("GET", "/nothing/here", 404),
    ],
)
def test_other_models_versions_and_paths(flight_pod: ServerPod, method: str, path: str, status: int) -> None:
    response = flight_pod.http.request(method, f"{flight_pod.url}{path}")
    assert response.status_code == status
    assert response.json()["error"]


def test_encodings_that_are_not_taken(flight_pod: ServerPod) -> None:
    response = flight_pod.http.post(f"{flight_pod.model_url}/infer", json=flights(1), headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert "send" in response.json()["error"]


@pytest.mark.parametrize("request_", [b"NONSENSE\r\n\r\n", b"POST /v2/models/x/infer HTTP/1.1\r\nContent-Length: -5\r\n\r\n"])
def test_what_is_not_http(flight_pod: ServerPod, request_: bytes) -> None:
    host = httpx.URL(flight_pod.url)
    with socket.create_connection((host.host, host.port or 80), timeout=10) as connection:
        connection.sendall(request_)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


BAD_MATRICES: dict[str, tuple[Json, str]] = {
    "too narrow": ({"inputs": [tensor("m", "FP64", [1.0, 2.0], [2, 1])]}, "'m' has 1 columns"),
    "too wide": ({"inputs": [tensor("m", "FP64", [1.0, 2.0, 3.0], [1, 3])]}, "'m' has 3 columns"),
    "uneven rows": ({"inputs": [tensor("m", "FP64", [[1.0, 2.0], [3.0]], [2, 2])]}, "[2, 2]"),
    "too few values": ({"inputs": [tensor("m", "FP64", [1.0, 2.0, 3.0], [2, 2])]}, "3 values"),
    "text": ({"inputs": [tensor("m", "FP64", [1.0, "a"], [1, 2])]}, "'a'"),
    "datatype of text": ({"inputs": [tensor("m", "BYTES", ["1", "2"], [1, 2])]}, "BYTES"),
    "not finite when computed": ({"inputs": [tensor("m", "FP64", [3e38, -3e38], [1, 2])]}, "row 0"),
}


@pytest.mark.parametrize(("request_", "part"), BAD_MATRICES.values(), ids=BAD_MATRICES)
def test_matrices_that_do_not_fit_the_schema(number_pod: ServerPod, request_: Json, part: str) -> None:
    response = number_pod.infer(request_)
    assert response.status_code == 400, response.text
    assert part in response.json()["error"]
