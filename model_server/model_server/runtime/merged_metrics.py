"""The metrics of several processes as those of one.

Not here: how they are collected from the processes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

_ROWS = "mlmodel_server_rows_total"


class MergedCollector(Collector):
    """Calls ``fetch`` for the metrics of each process, as OpenMetrics text, the workers first, at each collection."""

    def __init__(self, fetch: Callable[[], Sequence[str]]) -> None:
        self._fetch = fetch

    def collect(self) -> Iterator[Metric]:
        """Return the merged metrics, and the rows of each worker."""
        texts = [_parse(text) for text in self._fetch() if text]
        yield _rows(texts)
        yield from merge(texts)


def _parse(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def merge(processes: Iterable[Iterable[Metric]]) -> list[Metric]:
    """Merge metrics: counters and gauges are added up; of start times the earliest is taken, of information and limits the largest."""
    families: dict[str, Metric] = {}
    samples: dict[str, dict[tuple[str, frozenset[tuple[str, str]]], Sample]] = {}
    for metric in (metric for process in processes for metric in process):
        families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
        known = samples.setdefault(metric.name, {})
        for sample in metric.samples:
            key = sample.name, frozenset(sample.labels.items())
            known[key] = _combined(known[key], sample) if key in known else sample
    for name, family in families.items():
        family.samples = list(samples[name].values())
    return list(families.values())


def _combined(one: Sample, other: Sample) -> Sample:
    newest = max((one, other), key=lambda sample: (sample.exemplar is not None, (sample.exemplar and sample.exemplar.timestamp) or 0))
    return one._replace(value=_aggregation(one.name)((one.value, other.value)), exemplar=newest.exemplar)


def _aggregation(name: str) -> Callable[[tuple[float, float]], float]:
    if name.endswith(("_created", "_start_time_seconds")):
        return min
    return max if name.endswith(("_info", "_max_fds")) else sum


def _rows(processes: Sequence[Sequence[Metric]]) -> Metric:
    """Return how many rows each worker has predicted: connections, not requests, are spread over them, so they may differ."""
    rows: CounterMetricFamily | None = None
    for number, process in enumerate(processes, 1):
        for sample in (sample for metric in process for sample in metric.samples if sample.name == _ROWS):
            rows = rows or CounterMetricFamily("mlmodel_server_worker_rows", "Rows by worker.", labels=[*sample.labels, "worker"])
            rows.add_metric([*sample.labels.values(), str(number)], sample.value)
    return rows or CounterMetricFamily("mlmodel_server_worker_rows", "Rows by worker.")
