"""What a client of the Open Inference Protocol sees over gRPC: the same as over REST."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc
from model_server.serve.grpc.oip import open_inference_pb2 as oip

from devtools.bundles import late_flights, minutes
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.grpc_calls import SERVICE, Caller, caller, packed, typed, values
from tests.model_server.support.request_bodies import Json, flights, labels, outputs, raw, tensor
from tests.model_server.support.service_proxy import service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flight_pod() -> Iterator[ServerPod]:
    with pod(late_flights()) as made:
        made.environment |= {"MLMODEL_MAX_ROWS": "1000", "MLMODEL_MAX_BODY_BYTES": "100000"}
        made.start_both()
        yield made
        assert made.served("requests_total", code="500") == 0


@pytest.fixture(scope="module")
def call(flight_pod: ServerPod) -> Iterator[Caller]:
    with caller(flight_pod.grpc_address) as made:
        yield made


@pytest.fixture(scope="module")
def number_call() -> Iterator[Caller]:
    with pod(minutes()) as made:
        made.serve()
        with caller(made.grpc_address) as call:
            yield call
        assert made.served("requests_total", code="500") == 0


def whole(rows: int) -> Json:
    """A request without missing values, which messages cannot tell of a text."""
    return flights(rows, carrier=tensor("carrier", "BYTES", [("AA", "B6", "Zürich")[row % 3] for row in range(rows)]))


def refused(call: Caller, name: str, request: Any, **where: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(name, request, **where)
    return caught.value


def test_the_messages_are_those_of_their_proto(tmp_path: Path) -> None:
    source = files("model_server") / "serve/grpc/oip/open_inference.proto"
    root = Path(str(source)).parents[4]
    arguments = [f"-I{root}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", "model_server/serve/grpc/oip/open_inference.proto"]
    assert protoc.main(["protoc", *arguments]) == 0
    for name in ("open_inference_pb2.py", "open_inference_pb2.pyi"):
        made = (tmp_path / "model_server/serve/grpc/oip" / name).read_text()
        assert made == (files("model_server") / "serve/grpc/oip" / name).read_text(), "run 'make protocol'"


def test_health_and_metadata(call: Caller) -> None:
    assert call("ServerLive").live
    assert call("ServerReady").ready
    assert call("ModelReady", oip.ModelReadyRequest(name="x", version="x-v1")).ready
    server = call("ServerMetadata")
    assert (server.name, "binary_tensor_data" in server.extensions) == ("mlmodel-server", True)
    index = call("RepositoryIndex").models
    assert [(item.name, item.version, item.state) for item in index] == [("x", "x-v1", "READY")]


def test_model_metadata_says_what_rest_says(flight_pod: ServerPod, call: Caller) -> None:
    model, rest = call("ModelMetadata", oip.ModelMetadataRequest(name="x")), flight_pod.http.get(flight_pod.model_url).json()
    assert (model.name, list(model.versions), model.platform) == (rest["name"], rest["versions"], rest["platform"])
    for side in ("inputs", "outputs"):
        tensors = [(item.name, item.datatype, list(item.shape)) for item in getattr(model, side)]
        assert tensors == [(item["name"], item["datatype"], item["shape"]) for item in rest[side]]
    facts = {name: fact.double_param if fact.HasField("double_param") else fact.string_param for name, fact in model.parameters.items()}
    assert facts == rest["parameters"]


def test_the_health_service_of_grpc(call: Caller) -> None:
    def status(service: str) -> Any:
        request = health_pb2.HealthCheckRequest(service=service)
        return call("Check", request, service="grpc.health.v1.Health", kind=health_pb2.HealthCheckResponse).status

    assert {status(""), status(SERVICE)} == {health_pb2.HealthCheckResponse.SERVING}
    with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
        status("another")


def test_the_services_are_reported_by_reflection(flight_pod: ServerPod) -> None:
    with grpc.insecure_channel(flight_pod.grpc_address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
        assert database.FindFileContainingSymbol(SERVICE).package == "inference"


def test_typed_values_are_predicted_as_json_is(flight_pod: ServerPod, call: Caller) -> None:
    by_json = outputs(flight_pod.infer(whole(5)))
    response = call("ModelInfer", typed(whole(5), id="mine", model_version="x-v1"))
    assert (response.model_name, response.model_version, response.id) == ("x", "x-v1", "mine")
    found = values(response)
    assert found["predict"] == by_json["predict"]["data"]
    assert found["predict_proba"] == by_json["predict_proba"]["data"]
    assert [list(item.shape) for item in response.outputs] == [[5], [5, 2], [5]]


def test_raw_values_get_a_raw_answer(flight_pod: ServerPod, call: Caller) -> None:
    found = values(call("ModelInfer", packed(whole(3), outputs=[oip.ModelInferRequest.InferRequestedOutputTensor(name="predict")])))
    assert found == {"predict": bytes(outputs(flight_pod.infer(whole(3)))["predict"]["data"])}


def test_a_prediction_by_grpc_can_be_labelled_and_is_sent_to_the_monitor(flight_pod: ServerPod, call: Caller) -> None:
    before = flight_pod.monitored("rows_total")
    ids = values(call("ModelInfer", typed(whole(2))))["prediction_id"]
    flight_pod.label(labels(list(ids), True))
    poll(lambda: flight_pod.monitored("rows_total") >= before + 2, "the rows")
    assert flight_pod.served("requests_total", protocol="grpc", endpoint="infer", code="200") > 0


@pytest.mark.parametrize("pack", [typed, packed])
@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"])
def test_every_datatype_of_numbers(number_call: Caller, pack: Any, datatype: str) -> None:
    request = {"inputs": [tensor("m", datatype, [1, 2, 3, 4, 100, 7], [3, 2])]}
    found = values(number_call("ModelInfer", pack(request)))["predict"]
    expected = [0.0, 2.0, 193.0]
    assert found == (expected if pack is typed else raw("FP64", expected))


def changed(message: oip.ModelInferRequest, index: int, **fields: Any) -> oip.ModelInferRequest:
    item = message.inputs[index]
    for name, value in fields.items():
        if name == "shape":
            del item.shape[:]
            item.shape.extend(value)
        else:
            setattr(item, name, value)
    return message


def one_content_less(message: oip.ModelInferRequest) -> oip.ModelInferRequest:
    del message.raw_input_contents[0]
    return message


def both_contents(message: oip.ModelInferRequest) -> oip.ModelInferRequest:
    message.inputs[0].contents.fp64_contents.append(1.0)
    return message


def with_content_type(message: oip.ModelInferRequest) -> oip.ModelInferRequest:
    message.parameters["content_type"].string_param = "base64"
    return message


BAD: dict[str, tuple[Any, str, list[str]]] = {
    "another model": (oip.ModelInferRequest(model_name="y"), "NOT_FOUND", ["'y'", "'x'"]),
    "another version": (oip.ModelInferRequest(model_name="x", model_version="x-v9"), "NOT_FOUND", ["'x-v9'"]),
    "no message": (b"\xff\xff", "INVALID_ARGUMENT", ["ModelInferRequest"]),
    "no inputs": (oip.ModelInferRequest(model_name="x"), "INVALID_ARGUMENT", ["inputs"]),
    "no name": (changed(typed(whole(1)), 0, name=""), "INVALID_ARGUMENT", ["inputs[0] has no name"]),
    "no datatype": (changed(typed(whole(1)), 0, datatype="BF16"), "INVALID_ARGUMENT", ["'distance' needs a datatype"]),
    "no shape": (changed(typed(whole(1)), 0, shape=[]), "INVALID_ARGUMENT", ["'distance' needs a shape"]),
    "negative shape": (changed(packed(whole(1)), 0, shape=[-1]), "INVALID_ARGUMENT", ["'distance' needs a shape"]),
    "values of another datatype": (changed(typed(whole(1)), 0, datatype="FP32"), "INVALID_ARGUMENT", ["fp32_contents"]),
    "half floats without raw": (changed(typed(whole(1)), 0, datatype="FP16"), "INVALID_ARGUMENT", ["raw_input_contents"]),
    "too few values": (changed(typed(whole(2)), 0, shape=[3]), "INVALID_ARGUMENT", ["'distance' has 3 rows"]),
    "too few bytes": (changed(packed(whole(1)), 0, shape=[2]), "INVALID_ARGUMENT", ["8 bytes"]),
    "one content less": (one_content_less(packed(whole(1))), "INVALID_ARGUMENT", ["3 entries", "4 inputs"]),
    "both contents": (both_contents(packed(whole(1))), "INVALID_ARGUMENT", ["both"]),
    "content type": (with_content_type(typed(whole(1))), "INVALID_ARGUMENT", ["base64"]),
    "number beyond its datatype": (
        typed(flights(1, carrier=whole(1)["inputs"][2], wind=tensor("wind", "INT8", [300]))),
        "INVALID_ARGUMENT",
        ["'wind'", "300"],
    ),
    "unknown output": (
        typed(whole(1), outputs=[oip.ModelInferRequest.InferRequestedOutputTensor(name="embedding")]),
        "INVALID_ARGUMENT",
        ["'embedding'"],
    ),
    "too many rows": (packed({"inputs": [tensor("wind", "UINT8", [1] * 1001)]}), "INVALID_ARGUMENT", ["1001 rows"]),
    "too long a message": (packed(whole(20_000)), "RESOURCE_EXHAUSTED", ["larger than max"]),
}


@pytest.mark.parametrize(("request_", "code", "parts"), BAD.values(), ids=BAD)
def test_calls_that_do_not_fit(call: Caller, request_: Any, code: str, parts: list[str]) -> None:
    error: Any = refused(call, "ModelInfer", request_)
    assert error.code().name == code, error
    for part in parts:
        assert part in error.details()


def test_what_is_not_there_is_unimplemented(call: Caller) -> None:
    error: Any = refused(call, "ModelStreamInfer", oip.ModelInferRequest(), kind=oip.ModelInferResponse)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_overload_is_shed_and_the_rest_served() -> None:
    with pod(late_flights()) as made:
        made.environment |= {"MLMODEL_MAX_REQUESTS": "2", "MLMODEL_THREADS": "1"}
        made.serve()
        request = packed(whole(20_000))
        with caller(made.grpc_address) as call, ThreadPoolExecutor(12) as threads:
            codes = set(threads.map(lambda _: _code(call, request), range(24)))
            assert codes == {"OK", "RESOURCE_EXHAUSTED"}
            assert _code(call, typed(whole(1))) == "OK"


def test_no_call_fails_while_a_pod_is_replaced() -> None:
    with pod(late_flights(), drain="4s") as old, pod(late_flights()) as new:
        ending = old.serve()
        new.serve()
        stop = Event()
        with service(old.grpc_address) as (address, move), ThreadPoolExecutor(4) as threads:
            loads = [threads.submit(_until, stop, address) for _ in range(4)]
            poll(lambda: old.served("requests_total", protocol="grpc") > 100, "calls to the old pod")
            move(new.grpc_address)
            ending.send_signal(signal.SIGTERM)
            assert ending.wait(20) == 0
            before = new.served("requests_total", protocol="grpc")
            poll(lambda: new.served("requests_total", protocol="grpc") > before + 100, "calls to the new pod")
            stop.set()
            assert {code for load in loads for code in load.result()} == {"OK"}


def _until(stop: Event, address: str) -> set[str]:
    codes = set()
    with caller(address) as call:
        while not stop.is_set():
            codes.add(_code(call, typed(whole(1))))
    return codes


def _code(call: Caller, request: Any) -> str:
    try:
        call("ModelInfer", request)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"
