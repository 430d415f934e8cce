"""Collectors of spans: real receivers of OTLP over HTTP and gRPC, which decode what they receive."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from devtools.pods import poll

_EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass
class ReceivedSpan:
    """A span as it was received, with ids as in ``traceparent``."""

    name: str
    trace: str
    id: str
    parent: str
    state: str
    kind: int
    status: int
    start: int
    end: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Collector:
    """What was received at an address."""

    endpoint: str = ""
    paths: set[str] = field(default_factory=set)
    spans: list[ReceivedSpan] = field(default_factory=list)

    def receive(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            resource = _attributes(group.resource)
            self.spans += [_span(span, resource) for scope in group.scope_spans for span in scope.spans]

    def named(self, name: str, number: int = 1, **attributes: Any) -> list[ReceivedSpan]:
        """Wait for spans of a name and return them."""

        def found() -> list[ReceivedSpan]:
            return [span for span in [*self.spans] if span.name == name and attributes.items() <= span.attributes.items()]

        poll(lambda: len(found()) >= number, f"{number} spans {name}; there are {[span.name for span in self.spans]}")
        return found()


@contextmanager
def collector(protocol: str) -> Iterator[Collector]:
    """Receive spans by ``http`` or ``grpc``."""
    made = Collector()
    with {"http": _http, "grpc": _grpc}[protocol](made) as made.endpoint:
        yield made


@contextmanager
def _http(made: Collector) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.paths.add(self.path)
            made.receive(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=partial(server.serve_forever, 0.05), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def _grpc(made: Collector) -> Iterator[str]:
    def export(request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:  # noqa: ARG001
        made.receive(request)
        return ExportTraceServiceResponse()

    read: Callable[[bytes], Any] = ExportTraceServiceRequest.FromString
    method = grpc.unary_unary_rpc_method_handler(export, read, ExportTraceServiceResponse.SerializeToString)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_EXPORT, {"Export": method})])
    address = f"127.0.{secrets.randbelow(250) + 1}.1:4317"  # OTLP's own port, by which the exporter knows the protocol
    server.add_insecure_port(address)
    server.start()
    yield f"http://{address}"
    server.stop(None).wait()


def _span(span: Any, resource: dict[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        state=span.trace_state,
        kind=span.kind,
        status=span.status.code,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span),
        resource=resource,
    )


def _attributes(message: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in message.attributes}
