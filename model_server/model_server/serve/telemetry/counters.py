"""Counters and histograms that one thread updates with a few operations, since it does so for each request.

Those of ``prometheus_client`` take a lock for each number, several for an observation. Another thread that collects meanwhile may miss
a part of the last request. Not here: which metrics there are.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar


class LocalCounter:
    """One counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class CounterCollector(Collector):
    """A family of counters with labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._family = name, text
        self._labels = labels
        self._counters: dict[tuple[str, ...], LocalCounter] = {}

    def labels(self, *values: str) -> LocalCounter:
        """Return the counter of these labels."""
        return self._counters.setdefault(values, LocalCounter())

    def collect(self) -> Iterator[Metric]:
        """Return the family."""
        family = CounterMetricFamily(*self._family, labels=self._labels)
        for values, counter in list(self._counters.items()):
            family.add_metric(values, counter.value)
        yield family


class LocalHistogram:
    """One histogram: how many observations each bucket has."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._exemplars: dict[int, Exemplar] = {}
        self._sum = 0.0

    def observe(self, value: float, exemplar: dict[str, str] | None = None) -> None:
        """Count a value."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._sum += value
        if exemplar:
            self._exemplars[bucket] = Exemplar(exemplar, value, time.time())

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add it to a family."""
        names = [*map(str, map(float, self._bounds)), "+Inf"]
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        for index, (name, total) in enumerate(zip(names, accumulate(self._counts), strict=True)):
            exemplar = self._exemplars.get(index)
            buckets.append((name, total, exemplar) if exemplar else (name, total))
        family.add_metric(labels, buckets, self._sum)


class HistogramCollector(Collector):
    """A family of histograms with labels."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str]) -> None:
        self._family = name, text
        self._bounds = bounds
        self._labels = labels
        self._histograms: dict[tuple[str, ...], LocalHistogram] = {}

    def labels(self, *values: str) -> LocalHistogram:
        """Return the histogram of these labels."""
        return self._histograms.setdefault(values, LocalHistogram(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """Return the family."""
        family = HistogramMetricFamily(*self._family, labels=self._labels)
        for values, histogram in list(self._histograms.items()):
            histogram.add_to(family, values)
        yield family
