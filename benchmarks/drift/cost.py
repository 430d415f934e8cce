"""What it costs: the sidecar's time for a value, the size of a bucket, and the operator's time for a verdict.

Not here: how good the verdicts are.
"""

import json
import statistics
import time
import zlib
from collections.abc import Callable

import numpy as np
from mlmodel_contract.bundle import SchemaColumn
from mlmodel_contract.manifest import ColumnType

from benchmarks.drift import simulated_streams
from benchmarks.drift.detection_pipeline import DetectionPipeline
from benchmarks.table import Row, at_most

_BATCH = 256
_BATCHES = 16  # between two readings of the counts
_BYTES = 4  # of a whole number of a bucket in memory


def costs() -> list[Row]:
    """Measure on one core."""
    random = np.random.default_rng(0)
    train = simulated_streams.draw(random, 10_000)
    pipeline = DetectionPipeline(simulated_streams.schema(), train, simulated_streams.prediction(train), 0.01, 0.05)
    return [*_counting(pipeline, random), *_sizes(pipeline, random), *_verdicts(pipeline, random)]


def _counting(pipeline: DetectionPipeline, random: np.random.Generator) -> list[Row]:
    values = np.array(simulated_streams.draw(random, _BATCH)["n1"], np.float64)
    edges = np.quantile(values, np.arange(1, 36) / 36)
    search = _median(lambda: np.bincount(np.searchsorted(edges, values), minlength=37)) / _BATCH
    beside = f"numpy searchsorted and bincount {1e9 * search:.3g}"
    without, with_pairs = _of_numbers(1_500, random), _of_numbers(10_000, random)  # few training rows have no correlations
    mixed = simulated_streams.draw(random, _BATCH)
    texts = "texts are looked up one by one"
    return [
        at_most("sidecar, batches of 256, 20 numbers", _spent(without, _twenty(random, _BATCH)), 5, "ns a value", beside),
        at_most("the same with correlations", _spent(with_pairs, _twenty(random, _BATCH)), 8, "ns a value", beside),
        Row("the same, 4 of 20 being categories", _spent(pipeline, mixed), "ns a value", beside=texts),
    ]


def _of_numbers(rows: int, random: np.random.Generator) -> DetectionPipeline:
    train = _twenty(random, rows)
    schema = simulated_streams.schema().model_copy(update={"features": [SchemaColumn(name=name, type=ColumnType.NUMBER) for name in train]})
    return DetectionPipeline(schema, train, simulated_streams.prediction(train), 0.01, 0.05)


def _twenty(random: np.random.Generator, rows: int) -> simulated_streams.Columns:
    """Draw numbers from two streams, since one has fewer."""
    numbers = [values for _ in range(2) for values in simulated_streams.draw(random, rows).values() if isinstance(values, np.ndarray)]
    return {f"n{index}": np.array(values) for index, values in enumerate(numbers[:20])}


def _spent(pipeline: DetectionPipeline, columns: simulated_streams.Columns) -> float:
    """Return the nanoseconds that a value takes: each batch is counted, and the counts are read."""
    counter, predictions = pipeline.counter(), simulated_streams.prediction(columns)

    def count() -> None:
        for _ in range(_BATCHES):
            counter.update(columns, predictions)
        counter.counts  # noqa: B018 (counts what still waits)

    return 1e9 * _median(count) / _BATCHES / _BATCH / len(pipeline.profile.features)


def _sizes(pipeline: DetectionPipeline, random: np.random.Generator) -> list[Row]:
    rows = simulated_streams.draw(random, 500)
    bucket = pipeline.bucket(pipeline.bin_rows(rows, simulated_streams.prediction(rows)))
    numbers = [*bucket.cells, *bucket.products]
    wire = len(zlib.compress(np.array(numbers, np.int32).tobytes()))
    text = len(json.dumps(numbers, separators=(",", ":")))
    return [
        at_most("state of a bucket of 21 features", _BYTES * len(numbers) / 1e3, 5, "KB", f"{len(numbers)} whole numbers"),
        at_most("the same on the wire, compressed", wire / 1e3, 2, "KB", f"as JSON {text / 1e3:.1f} KB"),
    ]


def _verdicts(pipeline: DetectionPipeline, random: np.random.Generator) -> list[Row]:
    rows = simulated_streams.draw(random, 30_000)
    rows_by_cell = pipeline.bin_rows(rows, simulated_streams.prediction(rows))
    buckets = [pipeline.bucket(rows_by_cell.select(slice(start, start + 100))) for start in range(0, 30_000, 100)]
    detector = pipeline.detector()
    spent = []
    for bucket in buckets:
        start = time.perf_counter()
        detector.update(bucket)
        spent.append(time.perf_counter() - start)
    candidates = len(detector.state.segments)
    return [at_most("verdict", 1e3 * statistics.median(spent[100:]), 5, "ms a bucket", f"with {candidates} candidates of a change")]


def _median(work: Callable[[], object]) -> float:
    """Return the median seconds of a call, warmed up."""
    spent = []
    for _ in range(400):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent[50:])
