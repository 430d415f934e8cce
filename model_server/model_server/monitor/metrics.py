"""Prometheus metrics of the sidecar, read from the counts when they are asked for.

Not here: counting.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlmodel_contract.report import MICRO
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from .capture import Archive, RowBuffer
from .label_files import LabelFileImporter
from .pod_counts import PodCounts

_LABELS = ("namespace", "name", "version")


@dataclass
class Reporting:
    """How reporting went since the sidecar started.

    ``skipped`` counts periods after which nothing was to be reported. ``last`` is the time of the last success, seconds since the epoch;
    ``retry`` says that the latest report failed.
    """

    applied: int = 0
    failed: int = 0
    skipped: int = 0
    last: float = 0.0
    retry: bool = False


@dataclass(frozen=True)
class Sources:
    """What the metrics are read from."""

    counts: PodCounts
    buffer: RowBuffer
    archive: Archive
    label_files: LabelFileImporter
    reporting: Reporting


class MonitorCollector(Collector):
    """Yields the metrics of one pod's counts."""

    def __init__(self, model: tuple[str, str, str], sources: Sources) -> None:
        self._model = model
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Read all metrics."""
        rows, labels = self._sources.counts.totals()
        dropped, reporting = self._sources.counts.dropped, self._sources.reporting
        yield self._counter("rows", "Rows that the server predicted.", "outcome", {"counted": rows.counted, "missed": rows.missed})
        yield self._counter("rows_due", "Counted rows whose label should be back.", None, {"": rows.due})
        yield self._counter("rows_captured", "Rows in the store.", None, {"": rows.captured})
        yield self._counter(
            "rows_uncaptured", "Rows that found no room on their way to the store.", None, {"": self._sources.buffer.dropped}
        )
        outcomes = {
            "scored": labels.rows,
            "repeated": labels.repeated,
            "other_version": labels.other_version,
            "unscored": dropped.unscored_labels,
            "not_kept": dropped.labels_without_room,
        }
        yield self._counter("labels", "Labels that came back.", "outcome", outcomes)
        files = {"taken": self._sources.label_files.imported, "refused": self._sources.label_files.refused}
        yield self._counter("label_files", "Files of labels that were dropped into the store.", "outcome", files)
        yield self._counter("label_loss", "Sum of the loss of scored labels.", None, {"": labels.loss / MICRO})
        yield self._counter("damaged_batches", "Batches that could not be counted.", None, {"": dropped.damaged_batches})
        yield self._counter("store_failures", "Files that could not be written into the store.", None, {"": self._sources.archive.failures})
        outcomes = {"applied": reporting.applied, "failed": reporting.failed, "calm": reporting.skipped}
        yield self._counter("reports", "Looks at the counts, by what became of the report.", "outcome", outcomes)
        last = GaugeMetricFamily("mlmodel_monitor_last_report_timestamp_seconds", "When the last report was applied.", labels=_LABELS)
        last.add_metric(self._model, reporting.last)
        yield last

    def _counter(self, name: str, text: str, label: str | None, values: Mapping[str, float]) -> CounterMetricFamily:
        family = CounterMetricFamily(f"mlmodel_monitor_{name}", text, labels=(*_LABELS, label) if label else _LABELS)
        for value, number in values.items():
            family.add_metric((*self._model, value) if label else self._model, number)
        return family


def registry(model: tuple[str, str, str], sources: Sources) -> CollectorRegistry:
    """Return a registry with the sidecar's metrics."""
    result = CollectorRegistry()
    ProcessCollector(registry=result)
    result.register(MonitorCollector(model, sources))
    return result
