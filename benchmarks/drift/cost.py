"""What it costs: the sidecar's time for a value, the size of a bucket, and the operator's time for a verdict.

Not here: how good the verdicts are.
"""

import json
import statistics
import time
import zlib
from collections.abc import Callable

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType

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
    few = streams.draw(random, 1_500)
    without = Watcher(_numbers(), few, streams.prediction(few), 0.01, 0.05)  # too few rows for correlations
    many = streams.draw(random, 10_000)
    numbers = Watcher(_numbers(), many, streams.prediction(many), 0.01, 0.05)
    values = np.asarray(streams.draw(random, _BATCH)["n1"], np.float64)
    edges = np.quantile(values, np.arange(1, 36) / 36)
    search = _median(lambda: np.bincount(np.searchsorted(edges, values), minlength=37)) / _BATCH
    beside = f"numpy searchsorted and bincount {1e9 * search:.3g}"
    return [
        at_most("sidecar, batches of 256, numbers", _spent(without, random), 5, "ns a value", beside),
        at_most("the same with correlations", _spent(numbers, random), 8, "ns a value", beside),
        Row(
            "the same with four categories of twenty features",
            _spent(watcher, random),
            "ns a value",
            beside="texts are looked up one by one",
        ),
    ]


def _numbers() -> BundleSchema:
    whole = streams.schema()
    return whole.model_copy(update={"features": [column for column in whole.features if column.type is ColumnType.NUMBER]})


def _spent(watcher: Watcher, random: np.random.Generator) -> float:
    batch, names = streams.draw(random, _BATCH), [column.name for column in watcher.schema.features]
    columns, predictions, counter = {name: batch[name] for name in names}, streams.prediction(batch), watcher.counter()
    return 1e9 * _median(lambda: counter.update(columns, predictions)) / _BATCH / len(watcher.profile.features)


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
