"""Our server beside that of another checkout, such as the one before a change: the same bundle, the same requests, in turn.

Each round starts both anew, since two starts of the same code differ too, and loads them in turn. Not here: what else is measured of ours.
"""

import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlmodel_contract import environment

from benchmarks.serving.cells import Effort, bodies
from benchmarks.serving.load import closed_loop
from benchmarks.serving.models import KINDS, Trained, train
from benchmarks.serving.ours import Ours, ours
from benchmarks.serving.processes import processor_seconds
from benchmarks.table import Row, at_least, at_most, publish
from devtools.progress import Steps

_CONNECTIONS = (1, 16, 64)
_TOLERANCE = 0.03
_WARM_UP_SECONDS = 1
_PAIRS = 4


def run(checkout: Path, effort: Effort) -> None:
    """Measure both with m1, print the table, and write ``.bench/serving-before.json``.

    Args:
        checkout: the other work tree, whose ``.venv`` ``uv sync`` made.
        effort: the length of each load, and the number of rounds, of four pairs of loads each.

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


@dataclass(frozen=True)
class _Load:
    """What a server did: requests per second, and microseconds of its process for each."""

    rate: float
    processor: float


def _measure(other: str, model: Trained, effort: Effort, note: Callable[[str], None]) -> list[Row]:
    """Return, for each number of connections, the rate and the processor time of a request of this checkout over those of the other."""
    requests = bodies(model, 1)
    pairs: dict[int, list[tuple[_Load, _Load]]] = {connections: [] for connections in _CONNECTIONS}
    for index in range(effort.repeats):
        with ours(model, requests[0], other) as before, ours(model, requests[0]) as after:
            for connections in _CONNECTIONS:
                note(f"{connections} connections, round {index + 1} of {effort.repeats}")
                for server in (before, after):
                    closed_loop(server.target(requests), connections, _WARM_UP_SECONDS, 1, warm=True)
                pairs[connections] += _pairs(before, after, requests, connections, effort.seconds)
    return [row for connections, loads in pairs.items() for row in _rows(connections, *zip(*loads, strict=True))]


def _pairs(before: Ours, after: Ours, requests: list[bytes], connections: int, seconds: int) -> list[tuple[_Load, _Load]]:
    """Load both servers in turn, in alternating order: a machine's speed changes in seconds."""
    pairs = []
    for index in range(_PAIRS):
        servers = (before, after) if index % 2 == 0 else (after, before)
        loads = {server is after: _load(server, requests, connections, seconds) for server in servers}
        pairs.append((loads[False], loads[True]))
    return pairs


def _load(server: Ours, requests: list[bytes], connections: int, seconds: int) -> _Load:
    process = server.pod.processes[environment.COMMAND_SERVE].pid
    before = processor_seconds(process)
    found = closed_loop(server.target(requests), connections, seconds, 1, warm=True)
    return _Load(found.rate, 1e6 * (processor_seconds(process) - before) / found.requests)


def _rows(connections: int, before: Sequence[_Load], after: Sequence[_Load]) -> list[Row]:
    """Return the medians of each pair's ratio: what slows the machine for a while slows both."""
    rate = statistics.median(new.rate / old.rate for old, new in zip(before, after, strict=True))
    processor = statistics.median(new.processor / old.processor for old, new in zip(before, after, strict=True))
    name = f"m1, 1 row, c{connections}"
    return [
        at_least(f"{name}: rate, after in times before", rate, 1 - _TOLERANCE, "times", _spread(before, after, "rate")),
        at_most(f"{name}: processor time, after in times before", processor, 1 + _TOLERANCE, "times", _spread(before, after, "processor")),
    ]


def _spread(before: Sequence[_Load], after: Sequence[_Load], name: str) -> str:
    old, new = ([getattr(load, name) for load in loads] for loads in (before, after))
    unit = "us a request" if name == "processor" else "requests/s"
    return f"{min(old):,.4g} to {max(old):,.4g} before, {min(new):,.4g} to {max(new):,.4g} after, {unit}"
