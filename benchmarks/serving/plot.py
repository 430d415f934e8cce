"""The picture: requests per second of each server in each cell, on a logarithmic scale.

Not here: what is on the terminal.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no display is needed

from matplotlib.figure import Figure

from benchmarks.serving.cells import Found

_BAR_INCHES = 0.16


def save(found: Sequence[Found], path: Path) -> None:
    """Draw a group of bars for each cell, a bar for each server, into a PNG file."""
    path.parent.mkdir(exist_ok=True)
    cells = list(dict.fromkeys(str(each.cell) for each in found))
    servers = list(dict.fromkeys(each.server for each in found))
    figure = Figure(figsize=(max(8, _BAR_INCHES * len(cells) * (len(servers) + 2)), 5), layout="constrained")
    axes = figure.subplots()
    width = 1 / (len(servers) + 1.5)
    for place, server in enumerate(servers):
        mine = [(cells.index(str(each.cell)) + place * width, each.rate) for each in found if each.server == server and each.closed]
        axes.bar([at for at, _ in mine], [rate for _, rate in mine], width, label=server, color=f"C{place}", align="edge")
    axes.set_xticks([place + width * len(servers) / 2 for place in range(len(cells))], cells)
    axes.set_yscale("log")
    axes.set_ylabel("requests per second, one core")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(fontsize="small", ncols=len(servers), loc="outside upper center")
    figure.savefig(path, dpi=120)
