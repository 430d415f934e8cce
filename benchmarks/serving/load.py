"""The load, from a core of its own: wrk in a closed loop, and a client in an open one.

Not here: what is sent, and to whom.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.processes import load_core, pinned

_SCRIPT = Path(__file__).with_name("wrk.lua")
_WARM_UP_SECONDS = 1


class LoadError(RuntimeError):
    """A load that says nothing: requests were refused or connections broke."""


@dataclass(frozen=True)
class Target:
    """Where the requests go, and the bodies of the requests, which are sent one after another, again and again."""

    url: str
    bodies: Sequence[bytes]


@dataclass(frozen=True)
class ClosedLoopResult:
    """What wrk measured: requests per second, and latency in milliseconds; medians over ``values``, the rate of each repeat.

    ``requests`` is the number of them all, without those of the warm-up.
    """

    rate: float
    p50: float
    p99: float
    values: tuple[float, ...]
    requests: float = 0


@dataclass(frozen=True)
class OpenLoopResult:
    """The result of an open loop: the rate that was wanted and the one that was sent, latency in milliseconds from when each was due."""

    wanted: float
    sent: float
    p50: float
    p99: float
    requests: float


def closed_loop(target: Target, connections: int, seconds: int, repeats: int, *, warm: bool = False) -> ClosedLoopResult:
    """Keep so many connections busy, after a warm-up, which a server that is ``warm`` already does not need.

    Raises:
        LoadError: a request was refused, or a connection broke.

    """
    with _file(target) as file:
        if not warm:
            _wrk(target, file, connections, _WARM_UP_SECONDS)
        found = [_wrk(target, file, connections, seconds) for _ in range(repeats)]
    rates = [1e6 * run["requests"] / run["microseconds"] for run in found]
    middle = {name: statistics.median(run[name] for run in found) / 1e3 for name in ("p50", "p99")}
    return ClosedLoopResult(statistics.median(rates), middle["p50"], middle["p99"], tuple(rates), sum(run["requests"] for run in found))


def open_loop(target: Target, rate: float, connections: int, seconds: int) -> OpenLoopResult:
    """Send at a rate, whatever the server does.

    Raises:
        LoadError: a request was refused, or a connection broke.

    """
    with _file(target) as file:
        words = [target.url, file, f"{rate:.0f}", str(connections), str(seconds)]
        return OpenLoopResult(**_json([sys.executable, "-m", "benchmarks.serving.openloop", *words], seconds + 30))


def _wrk(target: Target, file: str, connections: int, seconds: int) -> dict[str, float]:
    program = shutil.which("wrk")
    if program is None:
        raise LoadError("wrk is not on the PATH: install it, on Debian by `apt-get install wrk`")
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    found = _json([program, *options, target.url, "--", file], seconds + 30)
    if found["refused"] or found["broken"] or not found["requests"]:
        raise LoadError(f"of {found['requests']:.0f} requests {found['refused']:.0f} were refused, {found['broken']:.0f} connections broke")
    return found


def _json(command: Sequence[str], seconds: float) -> dict[str, float]:
    with pinned(load_core()):
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, preexec_fn=_raise_priority)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise LoadError(f"{Path(command[0]).name} said: {(done.stderr or done.stdout).strip()[-200:]}")
    found: dict[str, float] = json.loads(lines[-1])
    return found


def _raise_priority() -> None:
    """Run before all else on this core, such as our sidecar: else the load would wait, and the server for it."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@contextmanager
def _file(target: Target) -> Iterator[str]:
    """Write the bodies, one a line."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(target.bodies) + b"\n")
        file.flush()
        yield file.name
