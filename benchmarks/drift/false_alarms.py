"""How often streams without drift alarm: independent rows, and real rows whose days or weeks are put in random order.

Not here: streams that do drift (``detection_delays.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta

from benchmarks.drift import real_streams, simulated_streams
from benchmarks.drift.detection_pipeline import DetectionPipeline
from benchmarks.drift.parallel import each
from benchmarks.table import Row, at_most

LEVEL = 0.01
REFERENCES = (1_000, 2_000, 5_000, 10_000, 50_000)
_ROWS, _BUCKET = 100_000, 500


@dataclass(frozen=True)
class IndependentStream:
    """A stream of independent rows: its seed and the number of training rows."""

    seed: int
    reference: int


@dataclass(frozen=True)
class PermutedStream:
    """A real stream whose blocks are put in random order: training rows are of the same blocks."""

    name: str
    seed: int
    data: Path | None


def independent_alarms(number: int) -> list[Row]:
    """Test simulated streams without drift, each for 100,000 rows."""
    tasks = [IndependentStream(seed, REFERENCES[seed % len(REFERENCES)]) for seed in range(number)]
    alarmed = each(_independent, tasks, "streams without drift")
    rows = []
    for reference in REFERENCES:
        of_reference = [alarm for task, alarm in zip(tasks, alarmed, strict=True) if task.reference == reference]
        rows.append(
            Row(
                f"false alarms, {reference:,} training rows",
                100 * sum(of_reference) / len(of_reference),
                f"% of {len(of_reference)} streams",
            )
        )
    total = sum(alarmed)
    share = 100 * total / number
    rows.append(
        at_most("false alarms, independent rows, 100,000 each", share, 100 * LEVEL, f"% of {number} streams", _interval(total, number))
    )
    return rows


def dependent_alarms(data: Path | None, repeats: int) -> list[Row]:
    """Test real streams in which nothing changes beyond the scale of a block."""
    names: Sequence[str] = [*(real_streams.BUNDLED), *(real_streams.SHARED if data else ())]
    tasks = [PermutedStream(name, seed, data) for name in names for seed in range(repeats)]
    alarmed = each(_permuted, tasks, "real streams, blocks in random order")
    total, number = sum(alarmed), len(tasks)
    by_name = {name: sum(alarm for task, alarm in zip(tasks, alarmed, strict=True) if task.name == name) for name in names}
    by_stream = ", ".join(f"{name} {count}/{repeats}" for name, count in by_name.items())
    return [at_most("false alarms, dependent rows", 100 * total / number, 5, f"% of {number} streams", by_stream)]


def _independent(task: IndependentStream) -> bool:
    random = np.random.default_rng(task.seed)
    train = simulated_streams.draw(random, task.reference)
    pipeline = DetectionPipeline(
        simulated_streams.schema(), train, simulated_streams.prediction(train)[-max(200, task.reference // 5) :], LEVEL, tolerance=0.0
    )
    live = simulated_streams.draw(random, _ROWS)
    return pipeline.first_alarm(pipeline.bin_rows(live, simulated_streams.prediction(live)), _BUCKET) is not None


def _permuted(task: PermutedStream) -> bool:
    stream = real_streams.load(task.name, task.data).permuted(np.random.default_rng(task.seed))
    return stream.first_alarm(LEVEL, 0.0) is not None


def _interval(count: int, number: int) -> str:
    low = beta.ppf(0.025, count, number - count + 1) if count else 0.0
    return f"95% between {100 * low:.2g} and {100 * beta.ppf(0.975, count + 1, number - count):.2g}%"
