"""The picture: requests per second of each server in each cell, on a logarithmic scale.

Not here: what is on the terminal.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no display is needed

from matplotlib.figure import Figure

from benchmarks.serving.cells import CellResult

_BAR_INCHES = 0.16


def save(results: Sequence[CellResult], path: Path) -> None:
    """Draw a group of bars for each cell, a bar for each server, into a PNG file."""
    path.parent.mkdir(exist_ok=True)
    cells = list(dict.fromkeys(str(result.cell) for result in results))
    servers = list(dict.fromkeys(result.server for result in results))
    figure = Figure(figsize=(max(8, _BAR_INCHES * len(cells) * (len(servers) + 2)), 5), layout="constrained")
    axes = figure.subplots()
    width = 1 / (len(servers) + 1.5)
    for index, server in enumerate(servers):
        bars = [(cells.index(str(one.cell)) + index * width, one.rate) for one in results if one.server == server and one.load]
        axes.bar([x for x, _ in bars], [rate for _, rate in bars], width, label=server, color=f"C{index}", align="edge")
    axes.set_xticks([cell + width * len(servers) / 2 for cell in range(len(cells))], cells)
    axes.set_yscale("log")
    axes.set_ylabel("requests per second, one core")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(fontsize="small", ncols=len(servers), loc="outside upper center")
    figure.savefig(path, dpi=120)
