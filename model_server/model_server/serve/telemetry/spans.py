"""Spans of requests by OpenTelemetry, exported by OTLP. Imported only where the MLModel asks for spans.

A thread of its own exports them in batches. Where the collector is down or too slow, spans are lost and nothing else: the queue is bounded,
and no request waits for it. Not here: which requests have spans, and what is measured.
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
_EXPORT_TIMEOUT_SECONDS = 10
_SHUTDOWN_SECONDS = 2.0
_MAX_QUEUED_SPANS = 4096
_BATCH_SPANS = 512
_EXPORT_INTERVAL_MILLISECONDS = 1000
_LIMITS = SpanLimits(max_span_attribute_length=256)


class SpanRecorder:
    """Decides which requests have spans, and starts them; calls ``on_export`` with the outcome and number of those that were exported."""

    def __init__(self, tracing: Tracing, namespace: str, model: ServedModel, on_export: Callable[[str, int], None]) -> None:
        logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)  # it logs each invalid tracestate
        self._ratio = tracing.sample_ratio
        self._provider = TracerProvider(ALWAYS_ON, _resource(namespace, model), shutdown_on_exit=False, span_limits=_LIMITS)
        exporter = _CountingExporter(_exporter(tracing.endpoint), on_export)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, _MAX_QUEUED_SPANS, _EXPORT_INTERVAL_MILLISECONDS, _BATCH_SPANS))
        self._tracer = self._provider.get_tracer("mlmodel-server")

    def begin(self, caller: Trace | None, name: str, attributes: Attributes) -> Trace | None:
        """Return the trace of a request. The caller's trace is sampled as the caller decided; without one, at random by the ratio."""
        if not (caller.sampled if caller else random.random() < self._ratio):  # noqa: S311 (a sample is no secret)
            return caller
        context = otel.set_span_in_context(NonRecordingSpan(_context(caller))) if caller else Context()
        span = self._tracer.start_span(name, context, SpanKind.SERVER, attributes)
        own = span.get_span_context()
        return Trace(f"{own.trace_id:032x}", f"{own.span_id:016x}", own.trace_flags, span=_RequestSpan(self._tracer, span))

    def end(self) -> None:
        """Export the spans that wait, for at most two seconds."""
        shutdown = Thread(target=self._provider.shutdown, daemon=True)
        shutdown.start()
        shutdown.join(_SHUTDOWN_SECONDS)


class _RequestSpan:
    """A request's span; its parts are child spans."""

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


class _CountingExporter(SpanExporter):
    """An exporter that reports its outcomes to ``on_export``."""

    def __init__(self, exporter: SpanExporter, on_export: Callable[[str, int], None]) -> None:
        self._exporter = exporter
        self._on_export = on_export

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._on_export("sent" if result is SpanExportResult.SUCCESS else "lost", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _exporter(endpoint: str) -> SpanExporter:
    """Return an exporter by gRPC for the port that OTLP has for it, by HTTP for any other; each library is imported where it is needed."""
    address = urlsplit(endpoint)
    if address.port == _GRPC_PORT:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(endpoint, timeout=_EXPORT_TIMEOUT_SECONDS)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    path = address.path if address.path.strip("/") else _HTTP_PATH
    return HttpExporter(address._replace(path=path).geturl(), timeout=_EXPORT_TIMEOUT_SECONDS)


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
