"""Keeps a process alive within its container: as the container's first process, starts the real one as its child, and again when it dies.

Kubernetes counts a sidecar that is being restarted against its pod's readiness: a monitor that crashes would take the server beside it
out of the Service, for minutes when it crashes again and again. So the container lives on. Not here: what the child does; nothing
heavy is imported, for this process lives as long as the pod.
"""

import logging
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from types import FrameType

_log = logging.getLogger(__name__)
ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class RestartPolicy:
    """Seconds: how long a child must run to count as stable, and the first and the longest delay before the next one is started."""

    stable_after: float = 20.0
    initial_delay: float = 1.0
    max_delay: float = 30.0


def supervise(work: Callable[[], int], policy: RestartPolicy | None = None) -> int:
    """Do the work in a child process, and again whenever it dies, until SIGTERM; return the exit code.

    Where no child was stable yet, a death ends this process, too: it is a refusal, which Kubernetes should show.

    Args:
        work: returns an exit code; it is forked, so it may import what this process should not.
        policy: when a child counts as stable, and the delays between restarts.

    """
    return _Supervisor(work, policy or RestartPolicy()).run()


class _Supervisor:
    def __init__(self, work: Callable[[], int], policy: RestartPolicy) -> None:
        self._work = work
        self._policy = policy
        self._stopping = threading.Event()
        self._child: BaseProcess | None = None

    def run(self) -> int:
        for number in ENDING:
            signal.signal(number, self._end)
        stable, delay = False, self._policy.initial_delay
        while True:
            code, seconds = self._run_child()
            if seconds >= self._policy.stable_after:
                stable, delay = True, self._policy.initial_delay
            if self._stopping.is_set() or not stable:
                return code
            _log.error("the process ended with %d after %.0f s; it is started again in %g s", code, seconds, delay)
            if self._stopping.wait(delay):
                return 0
            delay = min(2 * delay, self._policy.max_delay)

    def _run_child(self) -> tuple[int, float]:
        """Start a child and wait for its end; return its exit code, as a shell would, and how long it lived."""
        started = time.monotonic()
        child = self._start()
        child.join()
        code = child.exitcode or 0
        return (128 - code if code < 0 else code), time.monotonic() - started

    def _start(self) -> BaseProcess:
        with signals_blocked():
            self._child = start_child(self._work)
        return self._child

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if self._child is not None and self._child.is_alive():
            self._child.terminate()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block signals between the start of a child and its being registered, or it would never be terminated."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def start_child(work: Callable[[], int]) -> BaseProcess:
    """Start a child that does the work, while signals are blocked; what it returns is the child's exit code."""
    child = multiprocessing.get_context("fork").Process(target=_child, args=(work,))
    child.start()
    return child


def _child(work: Callable[[], int]) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    sys.exit(work())
