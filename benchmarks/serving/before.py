"""Our server beside that of another checkout, such as the one before a change: the same bundle, the same requests, in turn.

Each round starts both anew, in alternating order, since two starts of the same code differ too. Not here: what else is measured of ours.
"""

import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving.cells import Effort, bodies
from benchmarks.serving.load import closed_loop
from benchmarks.serving.models import KINDS, Trained, train
from benchmarks.serving.ours import ours
from benchmarks.table import Row, at_least, publish
from devtools.progress import Steps

_CONNECTIONS = (1, 16, 64)
_LEAST_RATIO = 0.97


def run(checkout: Path, effort: Effort) -> None:
    """Measure both with m1, print the table, and write ``.bench/serving-before.json``.

    Args:
        checkout: the other work tree, whose ``.venv`` ``uv sync`` made.
        effort: the length of each repeat, and the number of rounds.

    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the servers, too
    python = checkout / ".venv/bin/python"
    if not python.exists():
        sys.exit(f"--before {checkout}: there is no {python}; run 'uv sync --frozen' in that checkout")
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with steps.step("train and package m1"):
            model = train(next(kind for kind in KINDS if kind.name == "m1"), Path(folder) / "m1")
        with steps.step(f"ours beside that of {checkout}") as step:
            rows = _measure(str(python), model, effort, step.note)
    publish("serving-before", rows, ["scikit-learn", "numpy", "onnxruntime", "uvicorn", "uvloop", "httptools"])


def _measure(other: str, model: Trained, effort: Effort, note: Callable[[str], None]) -> list[Row]:
    """Return the requests per second of this checkout over those of the other, for each number of connections."""
    rates: dict[tuple[str, int], list[float]] = {}
    for index in range(effort.repeats):
        turn = [("before", other), ("after", sys.executable)]
        for name, python in turn if index % 2 == 0 else reversed(turn):
            note(f"{name}, round {index + 1} of {effort.repeats}")
            for connections, rate in _rates(model, python, effort.seconds).items():
                rates.setdefault((name, connections), []).append(rate)
    return [_row(connections, rates["before", connections], rates["after", connections]) for connections in _CONNECTIONS]


def _rates(model: Trained, python: str, seconds: int) -> dict[int, float]:
    requests = bodies(model, 1)
    with ours(model, requests[0], python) as served:
        target = served.target(requests)
        return {
            connections: closed_loop(target, connections, seconds, 1, warm=index > 0).rate for index, connections in enumerate(_CONNECTIONS)
        }


def _row(connections: int, before: list[float], after: list[float]) -> Row:
    old, new = statistics.median(before), statistics.median(after)
    spread = f"{min(before):,.0f} to {max(before):,.0f} before, {min(after):,.0f} to {max(after):,.0f} after"
    return at_least(f"m1, 1 row, c{connections}: after in times before", new / old, _LEAST_RATIO, "times", spread)
