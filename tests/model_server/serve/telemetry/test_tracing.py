"""Traces: ``traceparent`` is carried with a request and sent back, exemplars name it, and a collector gets spans where it is asked for."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pyarrow.parquet
import pytest
from mlmodel_contract.environment import PATH_STORE, PORT_METRICS_SERVER
from mlmodel_contract.manifest import Tracing
from model_server.serve.grpc.oip import open_inference_pb2 as oip
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.grpc_calls import SERVICE, typed
from tests.model_server.support.otlp_collectors import Collector, ReceivedSpan, collector
from tests.model_server.support.request_bodies import flights, ids, tensor

pytestmark = pytest.mark.slow

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
INFER, PREDICT = "POST /v2/models/{model}/infer", "POST /v1/models/{model}:predict"
FULL = flights(carrier=tensor("carrier", "BYTES", ["AA"]))
RPC = f"{SERVICE}/ModelInfer"


@pytest.fixture(scope="module")
def untraced() -> Iterator[ServerPod]:
    """A server whose MLModel asks for no spans."""
    with pod(late_flights()) as made:
        made.start_both()
        yield made
        assert made.served("requests_total", code="500") == 0


@pytest.fixture(scope="module")
def receiver() -> Iterator[Collector]:
    with collector("http") as made:
        yield made


@pytest.fixture(scope="module")
def traced(receiver: Collector) -> Iterator[ServerPod]:
    """A server that sends a span of each request."""
    with pod(late_flights(), tracing=Tracing(endpoint=receiver.endpoint, sample_ratio=1)) as made:
        made.environment |= {"MLMODEL_MAX_BODY_BYTES": "300000"}
        made.start_both()
        yield made


def post(made: ServerPod, path: str, request: Any, *values: str, **headers: str) -> httpx.Response:
    both = [*(("traceparent", value) for value in values), *headers.items()]
    return made.http.post(f"{made.url}{path}", json=request, headers=both)


def infer(made: ServerPod, *values: str, **headers: str) -> httpx.Response:
    return post(made, "/v2/models/x/infer", flights(), *values, **headers)


def rpc(made: ServerPod, metadata: Sequence[tuple[str, str]], request: Any = None, method: str = "ModelInfer") -> tuple[Any, str]:
    """Call, and return the answer's code and its trailing ``traceparent``."""
    with grpc.insecure_channel(made.grpc_address) as channel:
        call: Any = channel.unary_unary(f"/{SERVICE}/{method}", request_serializer=lambda message: message.SerializeToString())
        future = call.future(request or typed(FULL), metadata=tuple(metadata), timeout=30)
        trailing = {key: str(value) for key, value in future.trailing_metadata()}
        return future.code(), trailing.get("traceparent", "")


def exemplars(made: ServerPod, **labels: str) -> list[dict[str, str]]:
    url = f"http://127.0.0.1:{PORT_METRICS_SERVER + made.offset}/metrics"
    response = made.http.get(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]  # type: ignore[no-untyped-call]
    found = [
        sample.exemplar
        for sample in samples
        if sample.name == "mlmodel_server_request_duration_seconds_bucket" and labels.items() <= sample.labels.items()
    ]
    return [dict(exemplar.labels) for exemplar in found if exemplar]


REQUESTS = {
    "the fast path": ("/v2/models/x/infer", flights(), 200),
    "a version": ("/v2/models/x/versions/x-v1/infer", flights(), 200),
    "past the fast path": ("/v2/models/x/infer", {**flights(), "parameters": {"padding": " " * 140_000}}, 200),
    "V1": ("/v1/models/x:predict", {"instances": [{"distance": 1, "wind": 1, "carrier": "AA", "holiday": True}]}, 200),
    "an error": ("/v2/models/x/infer", {"inputs": []}, 400),
    "an error past the fast path": ("/v2/models/y/infer", flights(), 404),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_each_answer_carries_the_trace_of_its_request(untraced: ServerPod, kind: str) -> None:
    path, request, status = REQUESTS[kind]
    for value in (SAMPLED, UNSAMPLED):
        response = post(untraced, path, request, value)
        assert (response.status_code, response.headers.get("traceparent")) == (status, value)
    assert "traceparent" not in post(untraced, path, request).headers


HOSTILE = {
    "empty": "",
    "words": "give me a trace",
    "upper case": SAMPLED.upper(),
    "no trace": f"00-{'0' * 32}-{PARENT}-01",
    "no span": f"00-{TRACE}-{'0' * 16}-01",
    "version ff": f"ff-{TRACE}-{PARENT}-01",
    "a short trace": f"00-{TRACE[1:]}-{PARENT}-01",
    "a long trace": f"00-{TRACE}0-{PARENT}-01",
    "no hexadecimal": f"00-{TRACE[:-1]}g-{PARENT}-01",
    "flags of one digit": f"00-{TRACE}-{PARENT}-1",
    "more than version 00 has": f"{SAMPLED}-more",
    "a dash more": f"{SAMPLED}-",
    "a newer version without a dash": f"cc-{TRACE}-{PARENT}-01more",
    "two in one": f"{SAMPLED},{SAMPLED}",
    "a letter of another script": f"00-{TRACE[:-1]}\u00b2-{PARENT}-01",
    "very long": SAMPLED + "0" * 20_000,
    "a format": "%s%n{}${jndi:x}",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_is_not_as_it_must_be_is_passed_over(untraced: ServerPod, value: str) -> None:
    raw = httpx.Headers([(b"traceparent", value.encode("latin-1"))])
    for path, request in (("/v2/models/x/infer", flights()), ("/v2/models/x/infer", REQUESTS["past the fast path"][1])):
        response = untraced.http.post(f"{untraced.url}{path}", json=request, headers=raw)
        assert (response.status_code, "traceparent" in response.headers) == (200, False)
    if value.isascii() and len(value) < 8000:
        assert rpc(untraced, [("traceparent", value)]) == (grpc.StatusCode.OK, "")


def test_two_headers_are_none(untraced: ServerPod) -> None:
    assert "traceparent" not in infer(untraced, SAMPLED, SAMPLED).headers
    assert rpc(untraced, [("traceparent", UNSAMPLED), ("traceparent", SAMPLED)]) == (
        grpc.StatusCode.OK,
        SAMPLED,
    )  # gRPC's core keeps the last


def test_a_newer_version_is_read_as_the_known_one(untraced: ServerPod) -> None:
    for value in (f"cc-{TRACE}-{PARENT}-ff", f"cc-{TRACE}-{PARENT}-ff-and-what-is-new"):
        assert infer(untraced, value).headers["traceparent"] == f"00-{TRACE}-{PARENT}-03"


@pytest.mark.parametrize("state", ["a=1", "=", "a=1,a=1", "x" * 30_000, ",,,"], ids=len)
def test_no_tracestate_harms_a_request(untraced: ServerPod, traced: ServerPod, state: str) -> None:
    for made in (untraced, traced):
        response = infer(made, SAMPLED, tracestate=state)
        assert (response.status_code, response.headers["traceparent"].split("-")[1]) == (200, TRACE)


def test_pipelined_requests_keep_their_own_traces(untraced: ServerPod) -> None:
    def answered(number: int) -> bool:
        value = f"00-{number + 1:032x}-{PARENT}-01"
        return infer(untraced, value).headers["traceparent"] == value

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(answered, range(200)))


def test_grpc_carries_the_trace_in_the_trailing_metadata(untraced: ServerPod) -> None:
    assert rpc(untraced, [("traceparent", SAMPLED)]) == (grpc.StatusCode.OK, SAMPLED)
    assert rpc(untraced, []) == (grpc.StatusCode.OK, "")
    wrong = oip.ModelInferRequest(model_name="y")
    assert rpc(untraced, [("traceparent", UNSAMPLED)], wrong) == (grpc.StatusCode.NOT_FOUND, UNSAMPLED)
    assert rpc(untraced, [("traceparent", SAMPLED)], oip.ServerLiveRequest(), "ServerLive") == (grpc.StatusCode.OK, SAMPLED)


def test_exemplars_name_sampled_traces_by_protocol_and_outcome() -> None:
    with pod(late_flights()) as made:
        made.serve()
        infer(made)
        infer(made, UNSAMPLED)
        assert exemplars(made) == []
        infer(made, SAMPLED)
        assert exemplars(made, endpoint="infer", protocol="rest", outcome="ok") == [{"trace_id": TRACE, "span_id": PARENT}]
        other = "1" * 32
        rpc(made, [("traceparent", f"00-{other}-{PARENT}-01")], oip.ModelInferRequest(model_name="y"))
        (named,) = poll(
            lambda: exemplars(made, protocol="grpc", outcome="refused"), "the exemplar, which is noted once the call is answered"
        )
        assert named == {"trace_id": other, "span_id": PARENT}
        text = made.http.get(f"http://127.0.0.1:{PORT_METRICS_SERVER + made.offset}/metrics")
        assert text.headers["content-type"].startswith("text/plain")
        assert TRACE not in text.text


def test_captured_rows_name_the_trace_of_their_request(untraced: ServerPod) -> None:
    with_trace, without = ids(post(untraced, "/v2/models/x/infer", flights(2), SAMPLED)), ids(infer(untraced))

    def captured() -> dict[str, str | None]:
        files = [*(Path(untraced.path(PATH_STORE)) / "x-store/models/x/captured/rows").glob("**/*.parquet")]
        rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
        return {row["_prediction_id"]: row.get("_trace_id") for row in rows}

    poll(lambda: {*with_trace, *without} <= {*captured()}, "the rows")
    assert [captured()[identity] for identity in (*with_trace, *without)] == [TRACE, TRACE, None]


def test_opentelemetry_is_not_imported_where_no_spans_are_asked_for() -> None:
    with pod(late_flights()) as made:
        made.environment |= {"PYTHONPROFILEIMPORTTIME": "1"}
        made.serve()
        assert infer(made, SAMPLED).status_code == 200
        assert rpc(made, [("traceparent", SAMPLED)]) == (grpc.StatusCode.OK, SAMPLED)
        assert "model_server.serve.telemetry.trace_context" in made.log("serve")
        assert "opentelemetry" not in made.log("serve")


def only(spans: Sequence[ReceivedSpan], trace: str) -> ReceivedSpan:
    (found,) = [span for span in spans if span.trace == trace]
    return found


def a_trace(number: int) -> tuple[str, str]:
    """A trace of a test's own, and its header."""
    return f"{number:032x}", f"00-{number:032x}-{PARENT}-01"


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_is_a_span_below_that_of_its_caller(traced: ServerPod, receiver: Collector, kind: str) -> None:
    path, request, status = REQUESTS[kind]
    trace, header = a_trace(100 + [*REQUESTS].index(kind))
    response = post(traced, path, request, header, tracestate="vendor=a:b, other=c")
    route = path.replace("/x-v1", "/{version}").replace("/x", "/{model}").replace("/y", "/{model}")
    poll(lambda: [span for span in receiver.spans if span.trace == trace and span.kind == Span.SPAN_KIND_SERVER], "the span")
    span = only([span for span in receiver.spans if span.kind == Span.SPAN_KIND_SERVER], trace)
    assert (span.name, span.parent, span.state) == (f"POST {route}", PARENT, "vendor=a:b,other=c")
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": route,
        "url.path": path,
        "url.scheme": "http",
        "http.response.status_code": status,
    }
    assert span.status == Status.STATUS_CODE_UNSET
    assert response.headers["traceparent"] == f"00-{trace}-{span.id}-01"
    assert {name: span.resource[name] for name in ("service.name", "service.namespace", "service.version")} == {
        "service.name": "x",
        "service.namespace": "default",
        "service.version": "x-v1",
    }


@pytest.mark.parametrize("kind", ["the fast path", "past the fast path", "V1"])
def test_its_parts_are_the_wait_and_the_computing(traced: ServerPod, receiver: Collector, kind: str) -> None:
    path, request, _ = REQUESTS[kind]
    trace, header = a_trace(200 + [*REQUESTS].index(kind))
    mine = post(traced, path, request, header).headers["traceparent"].split("-")[2]
    poll(lambda: len([span for span in receiver.spans if span.trace == trace]) == 3, "the spans")
    queue, compute = (only(receiver.named(name), trace) for name in ("queue", "compute"))
    whole = only([span for span in receiver.spans if span.id == mine], trace)
    assert {queue.parent, compute.parent} == {mine}
    assert whole.start <= queue.start <= queue.end <= compute.start < compute.end <= whole.end
    assert compute.attributes == {"mlmodel.batch.requests": 1, "mlmodel.batch.rows": 1, "mlmodel.rows": 1}


def test_a_call_of_grpc_is_a_span_too(traced: ServerPod, receiver: Collector) -> None:
    trace, header = a_trace(300)
    code, answered = rpc(traced, [("traceparent", header), ("tracestate", "a=1")])
    poll(lambda: len([span for span in receiver.spans if span.trace == trace]) == 3, "the spans")
    span = only(receiver.named(RPC), trace)
    assert (code, span.parent, span.state, span.kind) == (grpc.StatusCode.OK, PARENT, "a=1", Span.SPAN_KIND_SERVER)
    assert span.attributes == {"rpc.system.name": "grpc", "rpc.method": RPC, "rpc.response.status_code": "OK"}
    assert answered == f"00-{trace}-{span.id}-01"
    wrong, header = a_trace(301)
    rpc(traced, [("traceparent", header)], oip.ModelInferRequest(model_name="y"))
    poll(lambda: wrong in {span.trace for span in receiver.spans}, "the span")
    assert only(receiver.named(RPC), wrong).attributes["rpc.response.status_code"] == "NOT_FOUND"


def test_feedback_is_a_span_and_a_fault_of_the_client_is_no_error(traced: ServerPod, receiver: Collector) -> None:
    trace, header = a_trace(400)
    assert post(traced, "/v2/models/x/feedback", {"id": "x", "truth": True}, header).status_code == 400
    poll(lambda: trace in {span.trace for span in receiver.spans}, "the span")
    assert only(receiver.named("POST /v2/models/{model}/feedback"), trace).status == Status.STATUS_CODE_UNSET


def test_without_a_caller_the_ratio_decides_and_with_one_the_caller(traced: ServerPod, receiver: Collector) -> None:
    _, trace, span, flags = infer(traced).headers["traceparent"].split("-")
    poll(lambda: trace in {span.trace for span in receiver.spans}, "the span")
    root = only(receiver.named(INFER), trace)
    assert (root.id, root.parent, int(flags, 16) & 1) == (span, "", 1)
    unsampled = f"00-{'a' * 32}-{PARENT}-00"
    assert infer(traced, unsampled).headers["traceparent"] == unsampled
    after, header = a_trace(500)
    infer(traced, header)
    poll(lambda: after in {span.trace for span in receiver.spans}, "a later span")
    assert "a" * 32 not in {span.trace for span in receiver.spans}


def test_a_ratio_of_none_leaves_spans_to_callers() -> None:
    with (
        collector("http") as receiver,
        pod(late_flights(), tracing=Tracing(endpoint=f"{receiver.endpoint}/to/here", sample_ratio=0)) as made,
    ):
        made.serve()
        assert all("traceparent" not in infer(made).headers for _ in range(50))
        trace, header = a_trace(600)
        infer(made, header)
        assert {span.trace for span in receiver.named(INFER)} == {trace}
        assert receiver.paths == {"/to/here"}
        assert made.http.get(f"{made.url}/v2/health/ready", headers={"traceparent": header}).headers["traceparent"] == header
        poll(lambda: made.served("spans_total", outcome="sent") == 3, "the count")


def test_spans_go_by_grpc_to_its_port_and_the_last_ones_before_the_end() -> None:
    with collector("grpc") as receiver, pod(late_flights(), tracing=Tracing(endpoint=receiver.endpoint, sample_ratio=1)) as made:
        server = made.serve()
        first, last = (infer(made).headers["traceparent"].split("-")[1] for _ in range(2))
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        assert {span.trace for span in receiver.named(INFER, 2)} == {first, last}


@pytest.mark.parametrize("endpoint", ["http://127.0.0.9:4317", "http://127.0.0.1:9", "http://collector.invalid:4318"])
def test_a_collector_that_is_away_costs_spans_and_nothing_else(endpoint: str) -> None:
    with pod(late_flights(), tracing=Tracing(endpoint=endpoint, sample_ratio=1)) as made:
        server = made.serve()
        for _ in range(1500):
            assert infer(made).status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, made.log("serve")
        assert made.log("serve").count("\n") < 50
