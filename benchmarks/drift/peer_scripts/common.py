"""What the scripts of all peers share: reading the streams, and asking a detector window by window. Runs in the peer's own Python."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Alarm = Callable[[Any], bool]


def streams() -> list[dict[str, Any]]:
    """Read the streams that the benchmark wrote."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    return [dict(np.load(folder / f"{seed}.npz")) for seed in range(number)]


def measure(name: str, library: str, make: Callable[[Any, int], Alarm], limit: int | None = None) -> dict[str, Any]:
    """Ask a detector about each window of 500 rows: false alarms without drift, rows to the alarm after a shift, time for a value.

    ``make`` takes the reference and the number of numeric columns and returns a function that says whether a window alarms; ``limit``
    is the number of windows asked about of a stream, for slow ones.
    """
    false, delays, spent, values = 0, [], 0.0, 0
    for stream in streams():
        window, numbers = int(stream["window"][0]), int(stream["numbers"][0])
        alarm = make(stream["reference"], numbers)
        calm = _windows(stream["calm"], window)[:limit]
        start = time.perf_counter()
        asked = 0
        for rows in calm:
            asked += 1
            if alarm(rows):
                false += 1
                break
        spent += time.perf_counter() - start
        values += asked * window * stream["calm"].shape[1]
        delays.append(_delay(make(stream["reference"], numbers), _windows(stream["after"], window)[:limit], window))
    label = f"{library} {version(library)}" + (f", {limit} windows a stream" if limit else "")
    return {"name": name, "false": false, "delays": delays, "nanoseconds": 1e9 * spent / values, "version": label}


def print_results(*found: dict[str, Any]) -> None:
    """Print the figures as JSON, which the benchmark reads."""
    print(json.dumps(found))  # noqa: T201


def _delay(alarm: Alarm, windows: list[Any], window: int) -> int | None:
    for index, rows in enumerate(windows):
        if alarm(rows):
            return (index + 1) * window
    return None


def _windows(rows: Any, window: int) -> list[Any]:
    return [rows[start : start + window] for start in range(0, len(rows) - window + 1, window)]
