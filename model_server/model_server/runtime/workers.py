"""Several server processes in one pod, to use several cores: the parent starts them, ends them, and exposes their metrics as one.

They are ready together, and the pod ends when one of them dies or hangs, so that Kubernetes starts it again and shows why. The parent
answers no request and imports no more than it needs. Not here: serving, and its ports.
"""

import logging
import mmap
import multiprocessing
import os
import signal
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

from mlmodel_contract.environment import PATH_TERMINATION, PORT_METRICS_SERVER
from mlmodel_contract.run import MESSAGE_LIMIT
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

from .merged_metrics import MergedCollector
from .paths import leave_message
from .ports import port
from .supervision import ENDING, signals_blocked, start_child

_log = logging.getLogger(__name__)
_READY = b"ready"
_ALL_READY = b"all ready"
_ANSWER_SECONDS = 2.0
_HUNG_SECONDS = 60.0  # as the liveness probe has it, which reaches one of the workers only
_TIME = struct.Struct("d")


class WorkerChannel:
    """A worker's side of what it shares with its parent. ``all_ready``: whether every worker of the pod is ready."""

    def __init__(self, connection: Connection, beat: mmap.mmap) -> None:
        self._connection = connection
        self._beat = beat
        self.all_ready = False

    def ready(self, registry: CollectorRegistry) -> None:
        """Report that this worker is ready; from now on the parent may ask for metrics, and ``beat`` is to be called every second or so."""
        self.beat()
        self._connection.send_bytes(_READY)
        threading.Thread(target=self._answer_requests, args=(registry,), name="metrics", daemon=True).start()

    def beat(self) -> None:
        """Report that this worker is alive."""
        _TIME.pack_into(self._beat, 0, time.monotonic())

    def _answer_requests(self, registry: CollectorRegistry) -> None:
        """Answer the parent's requests, each with its number; where there is no parent any more, end as on SIGTERM."""
        try:
            while True:
                request = self._connection.recv_bytes()
                if request == _ALL_READY:
                    self.all_ready = True
                else:
                    self._connection.send_bytes(request + b"\n" + _text(registry).encode())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)


def run_workers(number: int, work: Callable[[WorkerChannel], int], hung_seconds: float = _HUNG_SECONDS) -> int:
    """Do the work in so many processes until SIGTERM, or until one of them ends; return the exit code.

    Where one ends by itself, or hangs for ``hung_seconds``, the others are terminated, and the reason is the termination message.
    """
    return _Parent(number, work, hung_seconds).run()


class _Worker:
    """A worker process, as its parent sees it."""

    def __init__(self, number: int, connection: Connection, beat: mmap.mmap) -> None:
        self.number = number
        self.connection = connection
        self.ready = False
        self.process: BaseProcess
        self._beat = beat
        self._metrics = ""

    def seconds_since_beat(self) -> float:
        """Return the seconds since its last sign of life."""
        return float(time.monotonic() - _TIME.unpack_from(self._beat)[0])

    def send(self, message: bytes) -> None:
        """Send a message; the worker may be gone."""
        with suppress(OSError):
            self.connection.send_bytes(message)

    def metrics(self, request: bytes, deadline: float) -> str:
        """Return its metrics, the last known ones where it is gone or does not answer in time: no counter may fall."""
        with suppress(EOFError, OSError):
            while self.connection.poll(max(0.0, deadline - time.monotonic())):
                number, _, text = self.connection.recv_bytes().partition(b"\n")
                if number == request:
                    self._metrics = text.decode()
                    break
        return self._metrics

    def describe_exit(self) -> str:
        """Return how it ended."""
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return "was killed (SIGKILL: out of memory, or it hung, see its log)"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with the code {code}"


class _Parent:
    def __init__(self, number: int, work: Callable[[WorkerChannel], int], hung_seconds: float) -> None:
        self._work = work
        self._number = number
        self._hung_seconds = hung_seconds
        self._workers: list[_Worker] = []
        self._stopping = False
        self._requests = 0
        self._metrics_lock = threading.Lock()

    def run(self) -> int:
        for ending in ENDING:
            signal.signal(ending, self._end)
        for number in range(1, self._number + 1):
            self._start(number)
        if self._stopping:  # before all of them were there
            self._terminate_all()
        try:
            first = self._until_one_ends()
        except BaseException:  # such as a port that is taken: no worker stays without its parent
            self._terminate_all()
            raise
        requested = self._stopping
        if not requested:
            self._end_after_failure(first)
        for worker in self._workers:
            worker.process.join()
        if not requested:
            return _code(first.process) or 1
        codes = {_code(worker.process) for worker in self._workers}
        return max(codes - {128 + signal.SIGTERM}, default=0)  # one that still loads is ended by the signal itself

    def _start(self, number: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        beat = mmap.mmap(-1, _TIME.size)
        others = [worker.connection for worker in self._workers]

        def work() -> int:
            for connection in (ours, *others):  # or a worker would not notice that the parent is gone while another one lives
                connection.close()
            return self._work(WorkerChannel(theirs, beat))

        worker = _Worker(number, ours, beat)
        with signals_blocked():
            worker.process = start_child(work)
            self._workers.append(worker)
        theirs.close()

    def _until_one_ends(self) -> _Worker:
        """Wait for the first worker that ends; meanwhile note which are ready, and kill one that hangs."""
        ends = {worker.process.sentinel: worker for worker in self._workers}
        loading = {worker.connection: worker for worker in self._workers}
        while True:
            for event in wait([*ends, *loading], self._hung_seconds / 12):
                if isinstance(event, int):
                    return ends[event]
                if isinstance(event, Connection):
                    self._on_ready(loading.pop(event))
            for worker in self._workers:
                if worker.ready and worker.seconds_since_beat() > self._hung_seconds:
                    _log.error("worker %d did not go on for %.0f s: it is killed", worker.number, worker.seconds_since_beat())
                    worker.process.kill()

    def _on_ready(self, worker: _Worker) -> None:
        """Note that a worker is ready; after the last one, tell all of them."""
        try:
            worker.ready = worker.connection.recv_bytes() == _READY
        except (EOFError, OSError):
            return  # it ends
        if all(each.ready for each in self._workers):
            registry = CollectorRegistry()
            registry.register(MergedCollector(self._collect_metrics))
            start_http_server(port(PORT_METRICS_SERVER), registry=registry)
            with self._metrics_lock:
                for each in self._workers:
                    each.send(_ALL_READY)

    def _collect_metrics(self) -> list[str]:
        """Return the metrics of each worker, and then the parent's own."""
        with self._metrics_lock:
            self._requests += 1
            request = str(self._requests).encode()
            for worker in self._workers:
                worker.send(request)
            deadline = time.monotonic() + _ANSWER_SECONDS
            texts = [worker.metrics(request, deadline) for worker in self._workers]
        own = CollectorRegistry()
        ProcessCollector(registry=own)
        return [*texts, _text(own)]

    def _end_after_failure(self, worker: _Worker) -> None:
        worker.process.join()
        message = f"worker {worker.number} of {self._number} {worker.describe_exit()}: the server ends, to be started again"
        _log.error("%s", message)
        if (worker.process.exitcode or 0) <= 0:  # else it has left a reason of its own
            leave_message(PATH_TERMINATION, message, MESSAGE_LIMIT)
        self._terminate_all()

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._terminate_all()

    def _terminate_all(self) -> None:
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()


def _text(registry: CollectorRegistry) -> str:
    return bytes(generate_latest(registry)).decode()  # type: ignore[no-untyped-call]


def _code(process: BaseProcess) -> int:
    """Return the exit code, as a shell would."""
    code = process.exitcode or 0
    return 128 - code if code < 0 else code
