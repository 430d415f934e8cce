"""KServe's protocol V1, and the repository of models."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from devtools.bundles import late_flights, minutes
from devtools.pods import ServerPod, pod
from tests.model_server.support.request_bodies import Json, flights, labels, outputs, tensor

pytestmark = pytest.mark.slow

ROWS: list[list[Any]] = [[100.0, 3, "AA", True], [None, 2.5, None, None]]
NAMES = ("distance", "wind", "carrier", "holiday")
BY_NAME = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
COLUMNS = {name: [row[index] for row in ROWS] for index, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def flight_pod() -> Iterator[ServerPod]:
    with pod(late_flights()) as made:
        made.start_both()
        yield made
        assert made.served("requests_total", code="500") == 0


def predict(made: ServerPod, request: Json | bytes) -> httpx.Response:
    body: dict[str, Any] = {"content": request} if isinstance(request, bytes) else {"json": request}
    return made.http.post(f"{made.url}/v1/models/x:predict", **body)


REQUESTS: dict[str, Json] = {
    "lists": {"instances": ROWS},
    "objects": {"instances": BY_NAME},
    "objects with a time": {"instances": [{**row, "departure": "2013-01-01T08:15:00Z"} for row in BY_NAME]},
    "inputs as rows": {"inputs": ROWS},
    "inputs as columns": {"inputs": COLUMNS},
    "a data frame": {"instances": [COLUMNS]},
    "a data frame by index": {"instances": [{name: dict(enumerate(values)) for name, values in COLUMNS.items()}]},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_rows_are_predicted_as_by_v2(flight_pod: ServerPod, request_: Json) -> None:
    types = ("FP64", "FP64", "BYTES", "BOOL")
    tensors = [tensor(name, datatype, COLUMNS[name]) for name, datatype in zip(NAMES, types, strict=True)]
    response = predict(flight_pod, request_)
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == outputs(flight_pod.infer({"inputs": tensors}))["predict"]["data"]


def test_predictions_can_be_labelled(flight_pod: ServerPod) -> None:
    ids = predict(flight_pod, {"instances": ROWS}).json()["prediction_ids"]
    flight_pod.label(labels(ids, False))


def test_a_regression_gives_numbers() -> None:
    with pod(minutes()) as made:
        made.serve()
        assert predict(made, {"instances": [[1, 2.0], [3.0, 4.5]]}).json()["predictions"] == [0.0, 1.5]


def test_models_and_readiness(flight_pod: ServerPod) -> None:
    assert flight_pod.http.get(f"{flight_pod.url}/v1/models").json() == {"models": ["x"]}
    assert flight_pod.http.get(f"{flight_pod.url}/v1/models/x").json() == {"name": "x", "ready": True}
    assert flight_pod.http.get(f"{flight_pod.url}/v1/models/y").status_code == 404


BAD: dict[str, tuple[Json | bytes, list[str]]] = {
    "no JSON": (b"[", ["no valid JSON"]),
    "neither": ({}, ["'instances'"]),
    "both": ({"instances": ROWS, "inputs": ROWS}, ["'instances'"]),
    "no rows": ({"instances": []}, ["'instances'", "at least one"]),
    "no list": ({"instances": BY_NAME[0]}, ["'instances'", "list"]),
    "too short a row": ({"instances": [ROWS[0], [1.0]]}, ["instances[1]", "4 values", "distance"]),
    "a row that is a number": ({"instances": [ROWS[0], 5]}, ["instances[1]"]),
    "a row that is no object": ({"instances": [BY_NAME[0], ROWS[0]]}, ["instances[1]", "object"]),
    "a row without a column": ({"instances": [BY_NAME[0], {"wind": 1.0}]}, ["instances[1]", "null"]),
    "an unknown column": ({"instances": [{**BY_NAME[0], "colour": "red"}]}, ["'colour'", "unknown"]),
    "a missing column": ({"instances": [{"wind": 1.0}]}, ["'distance'", "missing"]),
    "columns of different lengths": ({"inputs": {**COLUMNS, "wind": [1.0]}}, ["inputs", "one length"]),
    "no columns": ({"inputs": {}}, ["inputs", "one length"]),
    "text for a number": ({"instances": [{**BY_NAME[0], "wind": "strong"}]}, ["'wind'", "'strong'"]),
    "deep": ({"instances": [{**BY_NAME[0], "wind": [[1.0]]}]}, ["'wind'", "a list"]),
}


@pytest.mark.parametrize(("request_", "parts"), BAD.values(), ids=BAD)
def test_rows_that_do_not_fit(flight_pod: ServerPod, request_: Json | bytes, parts: list[str]) -> None:
    response = predict(flight_pod, request_)
    assert response.status_code == 400, response.text
    for part in parts:
        assert part in response.json()["error"]


def test_the_repository_has_the_one_version_for_good(flight_pod: ServerPod) -> None:
    repository = f"{flight_pod.url}/v2/repository"
    entry = {"name": "x", "version": "x-v1", "state": "READY", "reason": ""}
    assert flight_pod.http.post(f"{repository}/index").json() == [entry]
    assert flight_pod.http.post(f"{repository}/index", json={"ready": True}).json() == [entry]
    for action in ("load", "unload"):
        refused = flight_pod.http.post(f"{repository}/models/x/{action}")
        assert (refused.status_code, "one version" in refused.json()["error"]) == (403, True)
    assert flight_pod.infer(flights(1)).status_code == 200
