"""How often streams without drift alarm: independent rows, and real rows whose days or weeks are put in random order.

Not here: streams that do drift (``delays.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta

from benchmarks.drift import real_streams, simulated_streams
from benchmarks.drift.parallel import each
from benchmarks.drift.watching import Watcher
from benchmarks.table import Row, at_most

LEVEL = 0.01
REFERENCES = (1_000, 2_000, 5_000, 10_000, 50_000)
_ROWS, _BUCKET = 100_000, 500


@dataclass(frozen=True)
class Independent:
    """A stream of independent rows: its seed and the number of training rows."""

    seed: int
    reference: int


@dataclass(frozen=True)
class Permuted:
    """A real stream whose blocks are put in random order: training rows are of the same blocks."""

    name: str
    seed: int
    data: Path | None


def independent_alarms(number: int) -> list[Row]:
    """Watch made-up streams without drift, each for 100,000 rows."""
    tasks = [Independent(seed, REFERENCES[seed % len(REFERENCES)]) for seed in range(number)]
    alarmed = each(_independent, tasks, "streams without drift")
    rows = []
    for reference in REFERENCES:
        found = [alarm for task, alarm in zip(tasks, alarmed, strict=True) if task.reference == reference]
        rows.append(Row(f"false alarms, {reference:,} training rows", 100 * sum(found) / len(found), f"% of {len(found)} streams"))
    total = sum(alarmed)
    share = 100 * total / number
    rows.append(
        at_most("false alarms, independent rows, 100,000 each", share, 100 * LEVEL, f"% of {number} streams", _interval(total, number))
    )
    return rows


def dependent_alarms(data: Path | None, repeats: int) -> list[Row]:
    """Watch real streams in which nothing changes beyond the scale of a block."""
    names: Sequence[str] = [*(real_streams.BUNDLED), *(real_streams.SHARED if data else ())]
    tasks = [Permuted(name, seed, data) for name in names for seed in range(repeats)]
    alarmed = each(_permuted, tasks, "real streams, blocks in random order")
    total, number = sum(alarmed), len(tasks)
    by_name = {name: sum(alarm for task, alarm in zip(tasks, alarmed, strict=True) if task.name == name) for name in names}
    told = ", ".join(f"{name} {count}/{repeats}" for name, count in by_name.items())
    return [at_most("false alarms, dependent rows", 100 * total / number, 5, f"% of {number} streams", told)]


def _independent(task: Independent) -> bool:
    random = np.random.default_rng(task.seed)
    train = simulated_streams.draw(random, task.reference)
    watcher = Watcher(
        simulated_streams.schema(), train, simulated_streams.prediction(train)[-max(200, task.reference // 5) :], LEVEL, tolerance=0.0
    )
    live = simulated_streams.draw(random, _ROWS)
    return watcher.watch(watcher.slots(live, simulated_streams.prediction(live)), _BUCKET) is not None


def _permuted(task: Permuted) -> bool:
    stream = real_streams.load(task.name, task.data).permuted(np.random.default_rng(task.seed))
    return stream.watch(LEVEL, 0.0) is not None


def _interval(count: int, number: int) -> str:
    low = beta.ppf(0.025, count, number - count + 1) if count else 0.0
    return f"95% between {100 * low:.2g} and {100 * beta.ppf(0.975, count + 1, number - count):.2g}%"
