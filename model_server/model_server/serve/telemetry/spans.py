"""Spans of requests by OpenTelemetry, sent to a collector by OTLP. Imported only where the MLModel asks for spans.

A thread of its own sends them, by the batch. Where the collector is away, or too slow, spans are lost and nothing else: what waits is
bounded, and no request waits for it. Not here: which requests have spans, and what is measured.
"""

import logging
import random
import socket
from collections.abc import Callable, Sequence
from threading import Thread
from urllib.parse import urlsplit

from mlmodel_contract.manifest import Tracing
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from ..served_model import ServedModel
from .trace_context import Attributes, Trace

_GRPC_PORT = 4317
_HTTP_PATH = "/v1/traces"
_SEND_SECONDS = 10
_END_SECONDS = 2.0
_WAITING_SPANS = 4096
_BATCH_SPANS = 512
_PAUSE_MILLISECONDS = 1000
_LIMITS = SpanLimits(max_span_attribute_length=256)


class SpanRecorder:
    """Decides which requests have spans, and begins them; calls ``sent`` with the outcome and number of those that left."""

    def __init__(self, tracing: Tracing, namespace: str, model: ServedModel, sent: Callable[[str, int], None]) -> None:
        logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)  # it tells of each tracestate that a client got wrong
        self._ratio = tracing.sample_ratio
        self._provider = TracerProvider(ALWAYS_ON, _resource(namespace, model), shutdown_on_exit=False, span_limits=_LIMITS)
        exporter = _Counted(_exporter(tracing.endpoint), sent)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, _WAITING_SPANS, _PAUSE_MILLISECONDS, _BATCH_SPANS))
        self._tracer = self._provider.get_tracer("mlmodel-server")

    def begin(self, caller: Trace | None, name: str, attributes: Attributes) -> Trace | None:
        """Return the trace of a request. The caller has decided whether its trace is kept; without one, chance does."""
        if not (caller.sampled if caller else random.random() < self._ratio):  # noqa: S311 (a sample is no secret)
            return caller
        context = otel.set_span_in_context(NonRecordingSpan(_context(caller))) if caller else Context()
        span = self._tracer.start_span(name, context, SpanKind.SERVER, attributes)
        mine = span.get_span_context()
        return Trace(f"{mine.trace_id:032x}", f"{mine.span_id:016x}", mine.trace_flags, span=_RequestSpan(self._tracer, span))

    def end(self) -> None:
        """Send what waits, for a moment at most."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_END_SECONDS)


class _RequestSpan:
    """A request's span, whose parts are its children."""

    def __init__(self, tracer: otel.Tracer, span: otel.Span) -> None:
        self._tracer = tracer
        self._span = span

    def part(self, name: str, start: int, end: int, attributes: Attributes) -> None:
        context = otel.set_span_in_context(self._span)
        self._tracer.start_span(name, context, SpanKind.INTERNAL, attributes, start_time=start).end(end)

    def end(self, attributes: Attributes, error: str | None) -> None:
        self._span.set_attributes(attributes)
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class _Counted(SpanExporter):
    """An exporter whose outcomes are told."""

    def __init__(self, exporter: SpanExporter, sent: Callable[[str, int], None]) -> None:
        self._exporter = exporter
        self._sent = sent

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._sent("sent" if result is SpanExportResult.SUCCESS else "lost", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _exporter(endpoint: str) -> SpanExporter:
    """Return one that speaks gRPC to the port that OTLP has for it, HTTP to any other; each library is imported where it is needed."""
    address = urlsplit(endpoint)
    if address.port == _GRPC_PORT:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(endpoint, timeout=_SEND_SECONDS)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    path = address.path if address.path.strip("/") else _HTTP_PATH
    return HttpExporter(address._replace(path=path).geturl(), timeout=_SEND_SECONDS)


def _resource(namespace: str, model: ServedModel) -> Resource:
    return Resource.create(
        {
            "service.name": model.name,
            "service.namespace": namespace,
            "service.version": model.version,
            "service.instance.id": socket.gethostname(),
            "k8s.namespace.name": namespace,
            "k8s.pod.name": socket.gethostname(),
            "mlmodel.engine": model.predictor.engine,
        }
    )


def _context(caller: Trace) -> SpanContext:
    state = TraceState.from_header([caller.state]) if caller.state else None
    return SpanContext(int(caller.id, 16), int(caller.parent, 16), is_remote=True, trace_flags=TraceFlags(caller.flags), trace_state=state)
