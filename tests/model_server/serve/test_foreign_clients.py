"""Clients that others wrote work unchanged; docs/serving-exactness.md lists each call that is tried here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod
from tests.model_server.support.foreign_clients import run_client
from tests.model_server.support.request_bodies import flights, outputs, tensor

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[3] / "docs" / "serving-exactness.md"
CLIENTS = ["triton_http", "triton_grpc", "kserve_clients", "reflection"]
TITLES = {
    "triton_http": "`tritonclient.http`",
    "triton_grpc": "`tritonclient.grpc`",
    "kserve_clients": "`kserve`",
    "reflection": "gRPC reflection",
}
REFUSALS = {
    "infer, of an unknown column": ["400", "'y' is unknown"],
    "infer, of another model": ["NOT_FOUND", "there is no model 'y'"],
    "REST v2 infer, of another model": ["404", "there is no model 'y'"],
}
NOT_TAKEN = {"triton_http": ["403", "one version"], "triton_grpc": ["FAILED_PRECONDITION", "one version"]}


@pytest.fixture(scope="module")
def made() -> Iterator[ServerPod]:
    with pod(late_flights()) as started:
        started.serve()
        yield started
        assert started.served("requests_total", code="500") == 0


@pytest.fixture(scope="module", params=CLIENTS)
def client(request: pytest.FixtureRequest, made: ServerPod) -> tuple[str, dict[str, Any]]:
    return request.param, run_client(request.param, made.url.removeprefix("http://"), made.grpc_address)


def predicted(made: ServerPod, distance: list[float | None]) -> dict[str, Any]:
    """What the model gives for the clients' rows, by JSON."""
    columns = {
        "distance": tensor("distance", "FP64", distance),
        "wind": tensor("wind", "INT32", [3, 4]),
        "carrier": tensor("carrier", "BYTES", ["AA", "Zürich"]),
        "holiday": tensor("holiday", "BOOL", [True, False]),
    }
    found = outputs(made.infer(flights(2, **columns)))
    return {name: found[name]["data"] for name in ("predict", "predict_proba")}


def test_every_call_gives_what_plain_json_gives(made: ServerPod, client: tuple[str, dict[str, Any]]) -> None:
    name, calls = client
    expected = [predicted(made, [100.0, 200.0]), predicted(made, [100.0, None])]
    checked = 0
    for call, given in calls.items():
        if isinstance(given, dict) and "predict_proba" in given:
            assert given in expected, call
        elif "v1 infer" in call:
            assert given["predictions"] == expected[0]["predict"], call
        elif call == "ModelInfer":
            assert given == [{"bool_contents": expected[0]["predict"]}, {"fp64_contents": expected[0]["predict_proba"]}]
        elif call.startswith(("is_", "REST v1 is", "REST v2 is", "gRPC is", "ServerReady")):
            assert given is True, call
        else:
            continue
        checked += 1
    assert checked >= len(calls) - 6, name


def test_what_is_refused_is_reported_with_the_reason(client: tuple[str, dict[str, Any]]) -> None:
    name, calls = client
    for call, parts in {**REFUSALS, **dict.fromkeys(("load_model", "unload_model"), NOT_TAKEN.get(name, []))}.items():
        for part in parts if call in calls else ():
            assert part in calls[call], call


def test_metadata_reach_the_clients(client: tuple[str, dict[str, Any]]) -> None:
    _, calls = client
    if "get_model_metadata" in calls:
        assert [item["name"] for item in calls["get_model_metadata"]["inputs"]][:2] == ["distance", "wind"]
        assert "binary_tensor_data" in calls["get_server_metadata"]["extensions"]
        index = calls["get_model_repository_index"]
        assert (index if isinstance(index, list) else index["models"])[0]["state"] == "READY"


def test_the_docs_list_the_calls_that_are_tried(client: tuple[str, dict[str, Any]]) -> None:
    name, calls = client
    listed = DOCS.read_text()
    for call, given in calls.items():
        verdict = "refused with the reason" if isinstance(given, str) else "works"
        assert f"| {TITLES[name]} | {call} | {verdict} |" in listed
