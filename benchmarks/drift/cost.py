"""What it costs: the sidecar's time for a value, the size of a bucket, and the operator's time for a verdict.

Not here: how good the verdicts are.
"""

import json
import statistics
import time
import zlib
from collections.abc import Callable

import numpy as np

from benchmarks.drift import streams
from benchmarks.drift.watching import Watcher
from benchmarks.table import Row, at_most

_BATCH = 256
_BYTES = 4  # of a whole number of a bucket in memory


def costs() -> list[Row]:
    """Measure on one core."""
    random = np.random.default_rng(0)
    train = streams.draw(random, 10_000)
    watcher = Watcher(streams.schema(), train, streams.prediction(train), 0.01, 0.05)
    return [*_counting(watcher, random), *_sizes(watcher, random), *_verdicts(watcher, random)]


def _counting(watcher: Watcher, random: np.random.Generator) -> list[Row]:
    batch = streams.draw(random, _BATCH)
    predictions = streams.prediction(batch)
    counter = watcher.counter()
    spent = _median(lambda: counter.update(batch, predictions))
    value = 1e9 * spent / _BATCH / len(watcher.profile.features)
    floor = np.sort(np.asarray(batch["n0"]))
    values = np.asarray(batch["n1"])
    beside = 1e9 * _median(lambda: np.bincount(np.searchsorted(floor[:36], values), minlength=37)) / _BATCH
    return [at_most("sidecar, batches of 256, with correlations", value, 8, "ns a value", f"numpy searchsorted and bincount {beside:.3g}")]


def _sizes(watcher: Watcher, random: np.random.Generator) -> list[Row]:
    rows = streams.draw(random, 500)
    bucket = watcher.bucket(watcher.slots(rows, streams.prediction(rows)))
    numbers = [*bucket.cells, *bucket.products]
    wire = len(zlib.compress(np.array(numbers, np.int32).tobytes()))
    text = len(json.dumps(numbers, separators=(",", ":")))
    return [
        at_most("state of a bucket of 21 features", _BYTES * len(numbers) / 1e3, 5, "KB", f"{len(numbers)} whole numbers"),
        at_most("the same on the wire, compressed", wire / 1e3, 2, "KB", f"as JSON {text / 1e3:.1f} KB"),
    ]


def _verdicts(watcher: Watcher, random: np.random.Generator) -> list[Row]:
    rows = streams.draw(random, 30_000)
    slots = watcher.slots(rows, streams.prediction(rows))
    buckets = [watcher.bucket(slots.take(slice(start, start + 100))) for start in range(0, 30_000, 100)]
    detector = watcher.detector()
    spent = []
    for bucket in buckets:
        start = time.perf_counter()
        detector.update(bucket)
        spent.append(time.perf_counter() - start)
    held = len(detector.memory.segments)
    return [at_most("verdict", 1e3 * statistics.median(spent[100:]), 5, "ms a bucket", f"with {held} candidates of a change")]


def _median(work: Callable[[], object]) -> float:
    """Return the median seconds of a call, warmed up."""
    spent = []
    for _ in range(400):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent[50:])
