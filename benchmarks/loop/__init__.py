"""The loop benchmark: what decisions are worth beside any schedule, and how often monitoring is wrong."""

from pathlib import Path

from benchmarks.drift.healthy_streams import measure
from benchmarks.loop.backtests import play_all
from benchmarks.loop.late_labels import false_harm
from benchmarks.loop.run_cost import run_cost
from benchmarks.table import publish


def run(streams: list[str] | None, data: Path | None, healthy: int, jobs: int) -> None:
    """Measure, print the table, and write ``.bench/loop.json``; without ``healthy`` streams only backtests are played."""
    rows = play_all(streams, data, jobs)
    if healthy:
        rows += [*false_harm(max(10, healthy // 20)), *measure(healthy, max(2, healthy // 40)), *run_cost()]
    publish("loop", rows, ["scikit-learn", "numpy", "pandas"])
