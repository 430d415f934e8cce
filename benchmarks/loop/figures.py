"""Figures that outlive a process: each part of the benchmark keeps its rows in a file, so that parts may be measured one by one.

Not here: any measurement.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.table import FOLDER, Row


def keep(part: str, rows: Sequence[Row]) -> None:
    """Write a part's rows in place of older ones."""
    file = _file(part)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def kept(part: str) -> list[Row]:
    """Return the rows of a part; none where it was never measured."""
    file = _file(part)
    return [Row(**row) for row in json.loads(file.read_text())] if file.exists() else []


def forget() -> None:
    """Delete what was measured before."""
    for file in (FOLDER / "loop").glob("*.json"):
        file.unlink()


def _file(part: str) -> Path:
    return FOLDER / "loop" / f"{part}.json"
