"""A server and the bare protocol alternately, on one core, the load on the other: rates, processor time, starts and memory.

A machine's speed changes within minutes, so each measurement of a server is followed by one of the bare protocol; their ratio is compared.
The requests are those of one row for the serving benchmark's first model, which has 30 numbers. Not here: which servers there are, and the
table.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.servers.peers import BARE, Running, Server, running, version
from benchmarks.serving.bodies import body, draw_requests
from benchmarks.serving.cells import Effort
from benchmarks.serving.load import Target, closed_loop
from benchmarks.serving.models import KINDS
from benchmarks.serving.processes import processor_seconds, resident

CONNECTIONS = (1, 16, 64)
_BODIES, _WARM_UP_SECONDS = 64, 1
_BARE_SHARE = 3  # of a measurement's seconds: the bare protocol answers so many requests that a part of the time is enough


@dataclass(frozen=True)
class Measurement:
    """One measurement of a server: requests per second, p99 in milliseconds, and microseconds of processor time a request."""

    rate: float
    p99: float
    processor: float


@dataclass(frozen=True)
class PairedMeasurement:
    """A server's measurement, and the bare protocol's right after it."""

    connections: int
    own: Measurement
    bare: Measurement

    @property
    def share(self) -> float:
        """The server's part of the bare protocol's rate, in percent."""
        return 100 * self.own.rate / self.bare.rate

    @property
    def times(self) -> float:
        """The server's processor time in times the bare protocol's, which holds even where other work has a part of the cores."""
        return self.own.processor / self.bare.processor


@dataclass
class ServerResult:
    """All measurements of one server, a start and a memory each round; ``failure`` is why it was given up, ``version`` its pin."""

    starts: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    pairs: list[PairedMeasurement] = field(default_factory=list)
    failure: str = ""
    version: str = ""


def measure_round(server: Server, result: ServerResult, effort: Effort, folder: Path, note: Callable[[str], None]) -> None:
    """Add one round to a server's result: a start, its memory after load, and a pair for each number of connections."""
    sent = [body(columns) for columns in draw_requests(KINDS[0], 1, _BODIES)]
    try:
        result.version = version(server)
        with running(server, folder / "server", sent[0]) as own:
            result.starts.append(own.cold_seconds)
            closed_loop(Target(own.url, sent), max(CONNECTIONS), _WARM_UP_SECONDS, 1, warm=True)
            result.megabytes.append(resident(own.process))
            with running(BARE, folder / "bare", sent[0]) as bare:
                result.pairs += _pairs(own, bare, sent, effort.seconds, note)
    except RuntimeError as error:
        result.failure = str(error)


def _pairs(own: Running, bare: Running, sent: Sequence[bytes], seconds: int, note: Callable[[str], None]) -> Iterator[PairedMeasurement]:
    for connections in CONNECTIONS:
        note(f"{connections} connections")
        own_measurement = _measure(own, sent, connections, seconds)
        yield PairedMeasurement(connections, own_measurement, _measure(bare, sent, connections, max(1, seconds // _BARE_SHARE)))


def _measure(server: Running, sent: Sequence[bytes], connections: int, seconds: int) -> Measurement:
    before = processor_seconds(server.process)
    load = closed_loop(Target(server.url, sent), connections, seconds, 1, warm=True)
    spent = processor_seconds(server.process) - before
    return Measurement(load.rate, load.p99, 1e6 * spent / load.requests)
