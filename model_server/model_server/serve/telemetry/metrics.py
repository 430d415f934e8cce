"""Prometheus metrics of the server.

All but those of spans are changed by the event loop's thread alone. Not here: where they are measured.
"""

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.process_collector import ProcessCollector

from .counters import CounterCollector, HistogramCollector, LocalCounter, LocalHistogram
from .trace_context import Trace

_LABELS = ("namespace", "name", "version")
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536)
_SHED = (429, 503, 504)


class ServerMetrics:
    """The metrics of one served version, in a registry of their own."""

    def __init__(self, namespace: str, name: str, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._model = (namespace, name, version)
        self._requests = self._local_counter("requests", "Requests that were answered.", "endpoint", "code", "protocol")
        self._durations = self._local_histogram(
            "request_duration_seconds", "Time from a request's head to its answer.", _SECONDS, "endpoint", "protocol", "outcome"
        )
        self._answers: dict[tuple[str, int, str], tuple[LocalCounter, LocalHistogram]] = {}
        self._labels = self._counter("labels", "Labels that came back.", "outcome")
        self._spans = self._counter("spans", "Spans that were given to the exporter.", "outcome")
        self._outside = self._counter("values_outside_range", "Values beyond their column's min or max.", "column")
        self._reloads = self._counter("reloads", "Changes of mounted Secrets.", "what", "outcome")
        self._rows = self._local_counter("rows", "Rows that were predicted.").labels(*self._model)
        self._dropped = self._counter("handover_dropped_rows", "Rows that the monitor was not told of.").labels(*self._model)
        self._shed = self._counter("shed_requests", "Requests that were refused, or given up, for too much to do.").labels(*self._model)
        self._batch = self._local_histogram("batch_rows", "Rows that were computed together.", _ROWS).labels(*self._model)
        self._queue = self._local_histogram("queue_seconds", "Time that the oldest request of a batch waited.", _SECONDS).labels(
            *self._model
        )
        in_flight = Gauge("mlmodel_server_requests_in_flight", "Requests under way.", _LABELS, registry=self.registry)
        self._in_flight = in_flight.labels(*self._model)

    def answered(self, endpoint: str, code: int, seconds: float, protocol: str = "rest", trace: Trace | None = None) -> None:
        """Count an answer; ``code`` is an HTTP status, also of other protocols. A sampled trace becomes the exemplar of its bucket."""
        count, duration = self._answers.get((endpoint, code, protocol)) or self._answer_metrics(endpoint, code, protocol)
        count.value += 1
        duration.observe(seconds, trace.exemplar if trace else None)
        if code in _SHED:
            self._shed.inc()

    def batch(self, rows: int, seconds: float) -> None:
        """Count a batch whose oldest request waited so long."""
        self._batch.observe(rows)
        self._queue.observe(seconds)

    def predicted(self, rows: int, outside: Mapping[str, int]) -> None:
        """Count predicted rows, and values out of range by column."""
        self._rows.value += rows
        for column, values in outside.items():
            self._outside.labels(*self._model, column).inc(values)

    def labelled(self, accepted: int, repeated: int, rejected: int) -> None:
        """Count labels by outcome."""
        for outcome, number in (("accepted", accepted), ("repeated", repeated), ("rejected", rejected)):
            self._labels.labels(*self._model, outcome).inc(number)

    def dropped(self, rows: int) -> None:
        """Count rows that were not sent to the monitor."""
        self._dropped.inc(rows)

    def spans(self, outcome: str, number: int) -> None:
        """Count spans that were exported, by outcome: ``sent`` or ``lost``."""
        self._spans.labels(*self._model, outcome).inc(number)

    def watch(self, in_flight: Callable[[], int]) -> None:
        """Publish the number of requests in flight."""
        self._in_flight.set_function(in_flight)

    def reloaded(self, what: str, outcome: str) -> None:
        """Count a change of mounted files; ``outcome`` is ``taken`` or ``refused``."""
        self._reloads.labels(*self._model, what, outcome).inc()

    def certificate(self, expires: Callable[[], float]) -> None:
        """Publish when the certificate expires, in seconds since 1970."""
        gauge = Gauge("mlmodel_server_certificate_expiry_timestamp_seconds", "When the certificate ends.", _LABELS, registry=self.registry)
        gauge.labels(*self._model).set_function(expires)

    def describe(self, engine: str, estimator: str) -> None:
        """Publish what is served."""
        info = Gauge("mlmodel_server_model_info", "The served version.", (*_LABELS, "engine", "estimator"), registry=self.registry)
        info.labels(*self._model, engine, estimator).set(1)

    def _answer_metrics(self, endpoint: str, code: int, protocol: str) -> tuple[LocalCounter, LocalHistogram]:
        """Look up the metrics of such answers, once."""
        count = self._requests.labels(*self._model, endpoint, str(code), protocol)
        metrics = count, self._durations.labels(*self._model, endpoint, protocol, _outcome(code))
        self._answers[endpoint, code, protocol] = metrics
        return metrics

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"mlmodel_server_{name}", text, (*_LABELS, *labels), registry=self.registry)

    def _local_counter(self, name: str, text: str, *labels: str) -> CounterCollector:
        collector = CounterCollector(f"mlmodel_server_{name}", text, (*_LABELS, *labels))
        self.registry.register(collector)
        return collector

    def _local_histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> HistogramCollector:
        collector = HistogramCollector(f"mlmodel_server_{name}", text, bounds, (*_LABELS, *labels))
        self.registry.register(collector)
        return collector


def _outcome(code: int) -> str:
    return "ok" if code < 400 else "shed" if code in _SHED else "refused" if code < 500 else "failed"
