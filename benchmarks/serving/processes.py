"""Processes on cores of their own: started, waited for, weighed, ended by their ids.

Not here: which processes there are.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""A setting by which Python keeps what it compiled, as it is in any image: else each start would compile all libraries."""

_READY_SECONDS = 90.0
_END_SECONDS = 10.0
_PAUSE_SECONDS = 0.005


def server_core() -> int:
    """Return the core that servers run on."""
    return min(_CORES)


def load_core() -> int:
    """Return the core of the load; that of the server where there is no other."""
    return max(_CORES)


_CORES = os.sched_getaffinity(0)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Hold this thread, and so what it starts, to one core, as ``taskset`` does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(command: Sequence[str | Path], folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on its core in ``folder``, where its log is left as ``server.log``; in the end it and its children are gone."""
    with (folder / "server.log").open("wb") as log, pinned(server_core()):
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **COMPILED, **(settings or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its own session: whatever it started and did not end
    process.wait(_END_SECONDS)


def until_answered(process: subprocess.Popen[bytes], url: str, body: bytes, log: Callable[[], str]) -> float:
    """Send one request until it is answered with 200; return the seconds that this took.

    Raises:
        RuntimeError: the process ended, or did not answer in time; the message ends with its log.

    """
    began, said = time.perf_counter(), "nothing"
    with httpx.Client(timeout=_END_SECONDS) as client:
        while time.perf_counter() - began < _READY_SECONDS and process.poll() is None:
            with suppress(httpx.TransportError):
                answer = client.post(url, content=body, headers={"Content-Type": "application/json"})
                if answer.status_code == httpx.codes.OK:
                    return time.perf_counter() - began
                said = answer.text[-200:]
            time.sleep(_PAUSE_SECONDS)
    raise RuntimeError(f"it did not answer as it should ({said}); its log: {log()[-300:]}")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def resident(process: int) -> float:
    """Return the megabytes that a process and its children hold, shared pages in shares (PSS)."""
    own = 0
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            own = int(line.split()[1])
    return own * 1024 / 1e6 + sum(resident(child) for child in _children(process))


def processor_seconds(process: int) -> float:
    """Return the processor time of a process and its children so far, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    user, system = fields[11:13]  # 14 and 15 of proc(5); those before the name's end are gone
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") + sum(processor_seconds(child) for child in _children(process))


def _children(process: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{process}/task").glob("*/children") for child in file.read_text().split()]
