"""The loop benchmark: what decisions are worth beside any schedule and other rules, and how often monitoring is wrong."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.drift.healthy_streams import measure
from benchmarks.loop import backtests, changes, figures, lateness, plot, stationary
from benchmarks.loop.late_labels import false_harm
from benchmarks.loop.run_cost import run_cost
from benchmarks.loop.streams import SHARED, SIMULATED, load
from benchmarks.table import Row, publish


@dataclass(frozen=True)
class Options:
    """What is measured: the folder with data sets, rows of simulated streams, healthy streams (0: none), and processes for schedules."""

    data: Path | None
    rows: int
    healthy: int
    jobs: int


def parts(options: Options) -> Mapping[str, Callable[[], Sequence[Row]]]:
    """Return the parts of the benchmark by their names: the streams first, then each other axis."""
    streams = ["flights", *(SHARED if options.data else ()), *SIMULATED]
    axes: dict[str, Callable[[], Sequence[Row]]] = {name: partial(_stream, name, options) for name in streams}
    axes["stationary"] = partial(stationary.cost_of_retraining, options.rows)
    axes["recovery"] = partial(changes.recovery, options.rows)
    axes["returns"] = partial(changes.returns, options.rows)
    axes["late"] = partial(lateness.measure, options.rows, options.jobs)
    axes["nightly"] = stationary.equal_challengers
    axes["run-cost"] = run_cost
    if options.healthy:
        axes["false-harm"] = partial(false_harm, max(10, options.healthy // 20))
        axes["healthy"] = partial(measure, options.healthy, max(2, options.healthy // 40))
    return axes


def run(only: Sequence[str] | None, options: Options, picture: Path) -> None:
    """Measure all parts, or only these; print the table, and write ``.bench/loop.json`` and the plot, with what was measured before.

    Raises:
        ValueError: a part has no such name.

    """
    logging.disable(logging.INFO)  # the trainer's own words
    known = parts(options)
    if unknown := set(only or ()) - known.keys():
        raise ValueError(f"--only {', '.join(sorted(unknown))} is no part: choose of {', '.join(known)}")
    if not only:
        figures.forget()
    for name in only or known:
        Console().rule(name)
        figures.keep(name, known[name]())
        for row in figures.kept(name):
            Console().print(f"{row.axis}: {row.value:.4g} {row.unit}", soft_wrap=True)
    rows = [row for name in known for row in figures.kept(name)]
    rows += backtests.over_all(rows)
    publish("loop", rows, ["scikit-learn", "numpy", "pandas"])
    plot.save(rows, picture)


def _stream(name: str, options: Options) -> Sequence[Row]:
    return list(backtests.play(load(name, options.data, options.rows), options.jobs).rows())
