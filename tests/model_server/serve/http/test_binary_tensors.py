"""Tensors as bytes after the JSON, in requests and responses, and what is said of bytes that do not fit."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod
from tests.model_server.support.request_bodies import HEADER, Json, binary, flights, mixed, raw, tensor, unmixed

pytestmark = pytest.mark.slow

ALL_AS_BYTES = {"parameters": {"binary_data_output": True}}


@pytest.fixture(scope="module")
def flight_pod() -> Iterator[ServerPod]:
    with pod(late_flights()) as made:
        made.serve()
        yield made
        assert made.served("requests_total", code="500") == 0


def send(made: ServerPod, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return made.http.post(f"{made.model_url}/infer", content=body, headers=headers)


def whole(rows: int) -> Json:
    """A request without missing values, which bytes cannot tell of a text."""
    return flights(rows, carrier=tensor("carrier", "BYTES", [("AA", "B6", "Zürich")[row % 3] for row in range(rows)]))


def test_bytes_are_predicted_as_the_same_json_is(flight_pod: ServerPod) -> None:
    by_json = unmixed(flight_pod.infer(whole(5)))
    by_bytes = unmixed(send(flight_pod, *binary(whole(5))))
    assert by_bytes["predict"] == by_json["predict"]
    assert by_bytes["predict_proba"] == by_json["predict_proba"]


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"])
def test_every_datatype_of_numbers(number_pod: ServerPod, datatype: str) -> None:
    request = {"inputs": [tensor("m", datatype, [[1, 2], [3, 4], [100, 7]], [3, 2])]}
    assert unmixed(send(number_pod, *binary(request)))["predict"] == [0.0, 2.0, 193.0]


def test_missing_numbers_are_nan_in_bytes(flight_pod: ServerPod) -> None:
    carrier = tensor("carrier", "BYTES", ["AA", "B6"])
    as_nan = flights(2, carrier=carrier, wind=tensor("wind", "FP32", [float("nan"), 2.0]))
    as_null = flights(2, carrier=carrier, wind=tensor("wind", "FP32", [None, 2.0]))
    by_bytes = unmixed(send(flight_pod, *binary(as_nan)))
    assert by_bytes["predict_proba"] == unmixed(flight_pod.infer(as_null))["predict_proba"]


def test_json_and_bytes_may_be_in_one_request(flight_pod: ServerPod) -> None:
    request = flights(4)  # a carrier is missing, which JSON alone can tell
    parts = [None if item["name"] == "carrier" else raw(item["datatype"], item["data"]) for item in request["inputs"]]
    assert unmixed(send(flight_pod, *mixed(request, parts)))["predict_proba"] == unmixed(flight_pod.infer(request))["predict_proba"]


@pytest.mark.parametrize("as_bytes", [False, True], ids=["request of JSON", "request of bytes"])
def test_outputs_come_as_bytes_where_they_are_wanted_so(flight_pod: ServerPod, as_bytes: bool) -> None:
    expected = unmixed(flight_pod.infer(whole(3)))

    def asked(**wanted: Any) -> dict[str, Any]:
        request = {**whole(3), **wanted}
        return unmixed(send(flight_pod, *binary(request)) if as_bytes else flight_pod.infer(request))

    everything = asked(**ALL_AS_BYTES)
    assert everything["predict"] == raw("BOOL", expected["predict"])
    assert np.frombuffer(everything["predict_proba"]).tolist() == expected["predict_proba"]
    assert len(everything["prediction_id"]) == len(raw("BYTES", expected["prediction_id"]))
    one = asked(outputs=[{"name": "predict", "parameters": {"binary_data": True}}, {"name": "predict_proba"}])
    assert one == {"predict": raw("BOOL", expected["predict"]), "predict_proba": expected["predict_proba"]}
    but_one = asked(**ALL_AS_BYTES, outputs=[{"name": "predict", "parameters": {"binary_data": False}}, {"name": "predict_proba"}])
    assert but_one["predict"] == expected["predict"]
    assert isinstance(but_one["predict_proba"], bytes)


@pytest.mark.parametrize("rows", [1, 20_000], ids=["short body", "long body"])
def test_bodies_of_any_length(flight_pod: ServerPod, rows: int) -> None:
    assert len(unmixed(flight_pod.infer({**whole(rows), **ALL_AS_BYTES}))["predict"]) == rows
    assert len(unmixed(send(flight_pod, *binary({**whole(rows), **ALL_AS_BYTES})))["predict"]) == rows


def test_a_data_frame_is_a_tensor_for_each_column_with_content_types(flight_pod: ServerPod) -> None:
    request = {**flights(2), "parameters": {"content_type": "pd", "anything": {"else": 1}}}
    for item in request["inputs"]:
        item["shape"] = [2, 1]
        item["parameters"] = {"content_type": "str" if item["datatype"] == "BYTES" else "np"}
    assert len(unmixed(flight_pod.infer(request))["predict"]) == 2


def spoilt(index: int, part: bytes, **described: Any) -> tuple[bytes, dict[str, str]]:
    """Two good rows, but for the bytes of one tensor, or what is said of it."""
    request = whole(2)
    parts: list[bytes | None] = [raw(item["datatype"], item["data"]) for item in request["inputs"]]
    parts[index] = part
    request["inputs"][index] |= described
    return mixed(request, parts)


BAD: dict[str, tuple[tuple[bytes, dict[str, str]], list[str]]] = {
    "too few bytes": (spoilt(0, b"\0" * 15), ["'distance'", "15 bytes", "16"]),
    "too many bytes": (spoilt(1, b"\0" * 9), ["'wind'", "9 bytes", "8"]),
    "shape beyond the bytes": (spoilt(0, b"\0" * 16, shape=[2**40, 2**40]), ["'distance'", "16 bytes"]),
    "size beyond the body": (spoilt(3, b"\0\1", parameters={"binary_data_size": 1000}), ["'holiday'", "1000", "2 bytes follow"]),
    "negative size": (spoilt(0, b"\0" * 16, parameters={"binary_data_size": -1}), ["'distance'", "-1"]),
    "size that is no number": (spoilt(0, b"\0" * 16, parameters={"binary_data_size": True}), ["'distance'", "True"]),
    "bytes that are left": (spoilt(3, b"\0\1\0", parameters={"binary_data_size": 2}), ["1 bytes", "no tensor"]),
    "no boolean": (spoilt(3, b"\0\2"), ["'holiday'", "byte 2", "place 1"]),
    "element without its length": (spoilt(2, b"\0\0"), ["'carrier'", "place 0"]),
    "element cut off": (spoilt(2, b"\2\0\0\0AA\xff\xff\xff\xffB"), ["'carrier'", "place 1"]),
    "too few elements": (spoilt(2, b"\2\0\0\0AA"), ["'carrier'", "1 elements", "2"]),
    "no text": (spoilt(2, b"\2\0\0\0AA\1\0\0\0\xff"), ["'carrier'", "place 1", "UTF-8"]),
    "infinity": (spoilt(0, raw("FP64", [1.0, float("inf")])), ["'distance'", "inf", "place 1"]),
    "beyond float32": (spoilt(0, raw("FP64", [1.0, -1e300])), ["'distance'", "-1e+300"]),
    "data and bytes": (
        spoilt(0, b"\0" * 16, parameters={"binary_data_size": 16, "content_type": "base64"}),
        ["'distance'", "base64", "content_type"],
    ),
    "wrong length of the JSON": ((b"{}", {HEADER: "5"}), ["5", "2 bytes"]),
    "length that is no number": ((b"{}", {HEADER: "-1"}), ["'-1'"]),
    "JSON cut off": ((binary(whole(2))[0], {HEADER: "10"}), ["no valid JSON"]),
    "bytes without the header": ((binary(whole(2))[0], {}), ["no valid JSON"]),
}


@pytest.mark.parametrize(("request_", "parts"), BAD.values(), ids=BAD)
def test_bytes_that_do_not_fit(flight_pod: ServerPod, request_: tuple[bytes, dict[str, str]], parts: list[str]) -> None:
    response = send(flight_pod, *request_)
    assert response.status_code == 400, response.text
    for part in parts:
        assert part in response.json()["error"]


BAD_PARAMETERS: dict[str, tuple[Json, str]] = {
    "of the request": ({**whole(1), "parameters": 5}, "parameters of the request"),
    "of a tensor": ({"inputs": [{**whole(1)["inputs"][0], "parameters": []}]}, "tensor 'distance'"),
    "of an output": ({**whole(1), "outputs": [{"name": "predict", "parameters": "x"}]}, "output 'predict'"),
    "content type": ({**whole(1), "parameters": {"content_type": "json"}}, "'json'"),
    "bytes without the header": ({"inputs": [{**whole(1)["inputs"][0], "data": None, "parameters": {"binary_data_size": 8}}]}, "header"),
    "data and bytes": ({"inputs": [{**whole(1)["inputs"][0], "parameters": {"binary_data_size": 8}}]}, "both"),
}


@pytest.mark.parametrize(("request_", "part"), BAD_PARAMETERS.values(), ids=BAD_PARAMETERS)
def test_parameters_that_are_not_taken(flight_pod: ServerPod, request_: Json, part: str) -> None:
    response = flight_pod.infer(request_)
    assert response.status_code == 400, response.text
    assert part in response.json()["error"]
