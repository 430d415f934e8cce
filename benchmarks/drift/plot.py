"""The picture: delays beside their goals, evidence on real streams, and false alarms of all detectors beside their delays.

Not here: any measurement.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no display is needed

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.drift import real_stream_verdicts
from benchmarks.table import Row

_DELAY, _FALSE, _FOUND = "delay over bound, ", ": streams with a false alarm", ": delay at a shift of 0.25 sd"
_WIDEST = 5.0
Curves = Mapping[str, Sequence[tuple[int, float]]]


def save(rows: Sequence[Row], evidence: Curves, path: Path) -> None:
    """Draw what was measured into a PNG file."""
    path.parent.mkdir(exist_ok=True)
    figure = Figure(figsize=(15, 4.6), layout="constrained")
    delays, streams, others = figure.subplots(1, 3)
    _delays(delays, [row for row in rows if row.axis.startswith(_DELAY)])
    _evidence(streams, evidence)
    _others(others, rows)
    figure.savefig(path, dpi=110)


def _delays(axes: Axes, rows: Sequence[Row]) -> None:
    names = [row.axis.removeprefix(_DELAY) for row in rows]
    axes.barh(names, [min(row.value, _WIDEST) for row in rows], color=["C0" if row.holds else "C1" for row in rows])
    goals = [float(row.goal.removeprefix("<= ")) for row in rows]
    axes.scatter(goals, names, marker="|", s=160, color="black", label="goal", zorder=3)
    axes.axvline(1, color="gray", linestyle=":")
    axes.invert_yaxis()
    axes.set_title("delay over the theoretical bound")
    axes.legend()


def _evidence(axes: Axes, evidence: Curves) -> None:
    for name, curve in evidence.items():
        axes.plot([row for row, _ in curve], [max(value, 0.1) for _, value in curve], label=name)
    axes.axhline(math.log(1 / real_stream_verdicts.LEVEL), color="gray", linestyle=":", label="confirmed")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("live rows, in time order")
    axes.set_title("evidence for drift, ln of the e-value")
    axes.legend()


def _others(axes: Axes, rows: Sequence[Row]) -> None:
    """Put a ring at each detector's false alarms and delay; one that never found the shift is a square on the right."""
    false = {row.axis.removesuffix(_FALSE): row.value for row in rows if row.axis.endswith(_FALSE)}
    delays = {row.axis.removesuffix(_FOUND): row.value for row in rows if row.axis.endswith(_FOUND)}
    ours = next(row.value for row in rows if row.axis.startswith("false alarms, independent"))
    points = {name: (delays[name], share) for name, share in false.items()} | {"this project": (_rows_to_alarm(rows), ours)}
    never = 2 * max((delay for delay, _ in points.values() if math.isfinite(delay)), default=1.0)
    for index, (name, (delay, share)) in enumerate(points.items()):
        found = math.isfinite(delay)
        size, colour = 30 + 55 * index, f"C{index}"
        axes.scatter(
            delay if found else never, share, s=size, marker="o" if found else "s", facecolors="none", edgecolors=colour, label=name
        )
    axes.set_xscale("log")
    axes.set_xlabel("rows to the alarm at a shift of 0.25 sd (square: never found)")
    axes.set_ylabel("% of streams without drift that alarmed")
    axes.set_title("all detectors, with their defaults")
    axes.legend(fontsize="small", markerscale=0.5)


def _rows_to_alarm(rows: Sequence[Row]) -> float:
    """Return our delay at the peers' shift: the row gives it as a multiple of the bound, and states the rows beside."""
    row = next(row for row in rows if row.axis == f"{_DELAY}mean 0.25")
    return float(row.beside.rsplit("; ", 1)[1].removesuffix(" rows"))
