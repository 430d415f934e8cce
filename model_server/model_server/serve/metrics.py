"""Prometheus metrics of the server.

Not here: where they are measured.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

_LABELS = ("namespace", "name", "version")
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ServerMetrics:
    """The metrics of one served version, in a registry of their own."""

    def __init__(self, namespace: str, name: str, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._model = (namespace, name, version)
        self._requests = self._counter("requests", "Requests that were answered.", "endpoint", "code")
        self._duration = Histogram(
            "mlmodel_server_request_duration_seconds",
            "Time from a request's head to its answer.",
            (*_LABELS, "endpoint"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._labels = self._counter("labels", "Labels that came back.", "outcome")
        self._outside = self._counter("values_outside_range", "Values beyond their column's min or max.", "column")
        self._rows = self._counter("rows", "Rows that were predicted.").labels(*self._model)
        self._dropped = self._counter("handover_dropped_rows", "Rows that the monitor was not told of.").labels(*self._model)
        self._in_flight = Gauge("mlmodel_server_requests_in_flight", "Requests under way.", _LABELS, registry=self.registry).labels(
            *self._model
        )

    def answered(self, endpoint: str, code: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(*self._model, endpoint, str(code)).inc()
        self._duration.labels(*self._model, endpoint).observe(seconds)

    def predicted(self, rows: int, outside: dict[str, int]) -> None:
        """Count predicted rows, and values out of range by column."""
        self._rows.inc(rows)
        for column, values in outside.items():
            self._outside.labels(*self._model, column).inc(values)

    def labelled(self, accepted: int, repeated: int, rejected: int) -> None:
        """Count labels by what became of them."""
        for outcome, number in (("accepted", accepted), ("repeated", repeated), ("rejected", rejected)):
            self._labels.labels(*self._model, outcome).inc(number)

    def dropped(self, rows: int) -> None:
        """Count rows that the monitor will miss."""
        self._dropped.inc(rows)

    def in_flight(self, requests: int) -> None:
        """Set the number of requests under way."""
        self._in_flight.set(requests)

    def describe(self, engine: str, estimator: str) -> None:
        """Publish what is served."""
        info = Gauge("mlmodel_server_model_info", "The served version.", (*_LABELS, "engine", "estimator"), registry=self.registry)
        info.labels(*self._model, engine, estimator).set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"mlmodel_server_{name}", text, (*_LABELS, *labels), registry=self.registry)
