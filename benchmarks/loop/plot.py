"""The picture: the loss on each stream over that of the best schedule in hindsight, of our policy, of schedules and of peers.

Not here: any measurement.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no display is needed

from matplotlib.figure import Figure

from benchmarks.loop.backtests import MONTHLY, NEVER, OURS, ratios
from benchmarks.table import Row

_WIDEST = 1.6
_MARKERS = {OURS: ("o", "C0"), NEVER: ("x", "black"), MONTHLY: ("+", "black")}
_OTHERS = "sD^v<>PX*"


def save(rows: Sequence[Row], path: Path) -> None:
    """Draw the streams that were measured into a PNG file; none where there are none."""
    found = ratios(rows)
    if not found:
        return
    path.parent.mkdir(exist_ok=True)
    figure = Figure(figsize=(10, 1.6 + 0.6 * len(found)), layout="constrained")
    axes = figure.subplots()
    streams = list(found)
    policies = list(dict.fromkeys(policy for of in found.values() for policy in of))
    others = [policy for policy in policies if policy not in _MARKERS]
    for policy in policies:
        marker, colour = _MARKERS[policy] if policy in _MARKERS else (_OTHERS[others.index(policy) % 9], f"C{1 + others.index(policy) % 9}")
        values = [found[stream].get(policy, math.nan) for stream in streams]
        edge = [min(value, _WIDEST) if math.isfinite(value) else math.nan for value in values]
        axes.scatter(edge, range(len(streams)), marker=marker, color=colour, s=90 if policy == OURS else 40, label=policy, zorder=3)
    axes.axvline(1, color="gray", linestyle=":", label="best schedule in hindsight")
    axes.set_yticks(range(len(streams)), streams)
    axes.invert_yaxis()
    axes.set_xlabel(f"mean loss over that of the best schedule (what is above {_WIDEST:g} stands at the edge)")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    figure.savefig(path, dpi=110)
