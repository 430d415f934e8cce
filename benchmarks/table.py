"""The rows of a benchmark: printed as a table and written as a file.

Not here: any measurement.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(".bench")


@dataclass(frozen=True)
class Row:
    """A figure: what it is of, its value and unit, the goal and whether it holds (None: no goal), and what stands beside it."""

    axis: str
    value: float
    unit: str
    goal: str = ""
    holds: bool | None = None
    beside: str = ""


def at_most(axis: str, value: float, limit: float, unit: str, beside: str = "") -> Row:
    """Return a row whose goal is an upper limit."""
    return Row(axis, value, unit, f"<= {limit:g}", value <= limit, beside)


def at_least(axis: str, value: float, limit: float, unit: str, beside: str = "") -> Row:
    """Return a row whose goal is a lower limit."""
    return Row(axis, value, unit, f">= {limit:g}", value >= limit, beside)


def publish(name: str, rows: Sequence[Row], libraries: Sequence[str]) -> None:
    """Print the rows, and write them with the machine and the versions into ``.bench/NAME.json``."""
    table = Table(title=name)
    for column in ("axis", "value", "unit", "goal", "holds", "beside"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for row in rows:
        holds = {True: "yes", False: "[red]no[/red]", None: ""}[row.holds]
        table.add_row(row.axis, f"{row.value:.4g}", row.unit, row.goal, holds, row.beside)
    Console(width=180).print(table)
    FOLDER.mkdir(exist_ok=True)
    document = {
        "machine": {"processor": _processor(), "cores": cores(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **{library: version(library) for library in libraries}},
        "rows": [asdict(row) for row in rows],
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
