"""Our server beside that of another checkout, such as the one before a change: the same bundle, the same requests, in turn.

Each round starts both anew, in alternating order, since two starts of the same code differ too. Not here: what else is measured of ours.
"""

import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlmodel_contract import environment

from benchmarks.serving.cells import Effort, bodies
from benchmarks.serving.load import Target, closed_loop
from benchmarks.serving.models import KINDS, Trained, train
from benchmarks.serving.ours import ours
from benchmarks.serving.processes import processor_seconds
from benchmarks.table import Row, at_least, at_most, publish
from devtools.progress import Steps

_CONNECTIONS = (1, 16, 64)
_TOLERANCE = 0.03
_WARM_UP_SECONDS = 1


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
    """Return, for each number of connections, the rate and the processor time of a request of this checkout over those of the other."""
    measured: dict[tuple[str, int], list[_Load]] = {}
    for index in range(effort.repeats):
        turn = [("before", other), ("after", sys.executable)]
        for name, python in turn if index % 2 == 0 else reversed(turn):
            note(f"{name}, round {index + 1} of {effort.repeats}")
            for connections, load in _loads(model, python, effort.seconds).items():
                measured.setdefault((name, connections), []).append(load)
    return [
        row for connections in _CONNECTIONS for row in _rows(connections, measured["before", connections], measured["after", connections])
    ]


@dataclass(frozen=True)
class _Load:
    """What a server did: requests per second, and microseconds of its process for each."""

    rate: float
    processor: float


def _loads(model: Trained, python: str, seconds: int) -> dict[int, _Load]:
    requests = bodies(model, 1)
    with ours(model, requests[0], python) as served:
        process = served.pod.processes[environment.COMMAND_SERVE].pid
        return {connections: _load(served.target(requests), process, connections, seconds) for connections in _CONNECTIONS}


def _load(target: Target, process: int, connections: int, seconds: int) -> _Load:
    closed_loop(target, connections, _WARM_UP_SECONDS, 1, warm=True)
    before = processor_seconds(process)
    found = closed_loop(target, connections, seconds, 1, warm=True)
    return _Load(found.rate, 1e6 * (processor_seconds(process) - before) / found.requests)


def _rows(connections: int, before: list[_Load], after: list[_Load]) -> list[Row]:
    """Compare the medians of each round's ratio: what slows the machine for a while slows both."""
    rate = statistics.median(new.rate / old.rate for old, new in zip(before, after, strict=True))
    processor = statistics.median(new.processor / old.processor for old, new in zip(before, after, strict=True))
    name = f"m1, 1 row, c{connections}"
    return [
        at_least(f"{name}: rate, after in times before", rate, 1 - _TOLERANCE, "times", _spread(before, after, "rate")),
        at_most(f"{name}: processor time, after in times before", processor, 1 + _TOLERANCE, "times", _spread(before, after, "processor")),
    ]


def _spread(before: list[_Load], after: list[_Load], name: str) -> str:
    old, new = ([getattr(load, name) for load in loads] for loads in (before, after))
    unit = "us a request" if name == "processor" else "requests/s"
    return f"{min(old):,.4g} to {max(old):,.4g} before, {min(new):,.4g} to {max(new):,.4g} after, {unit}"
