"""A server and the bare protocol in turns, from one core, the load on the other: rates, processor time, starts and memory.

A machine's pace changes within minutes, so each turn of a server is followed by one of the bare protocol, and their ratio is what counts.
The requests are those of one row for the serving benchmark's first model, which has 30 numbers. Not here: which servers there are, and the
table.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.servers.peers import BARE, Running, Server, running, version
from benchmarks.serving.bodies import body, drawn
from benchmarks.serving.cells import Effort
from benchmarks.serving.load import Target, closed
from benchmarks.serving.models import KINDS
from benchmarks.serving.processes import processor_seconds, resident

CONNECTIONS = (1, 16, 64)
_BODIES, _WARM_UP_SECONDS = 64, 1
_BARE_SHARE = 3  # of a turn's length: the bare protocol answers so much more that a part of the time tells as much


@dataclass(frozen=True)
class Pace:
    """What a server did in one turn: requests per second, p99 in milliseconds, and microseconds of processor time a request."""

    rate: float
    p99: float
    processor: float


@dataclass(frozen=True)
class Turn:
    """A server's pace, and right after it that of the bare protocol."""

    connections: int
    own: Pace
    bare: Pace

    @property
    def share(self) -> float:
        """The server's part of the bare protocol's rate, in percent."""
        return 100 * self.own.rate / self.bare.rate

    @property
    def times(self) -> float:
        """The server's processor time in times the bare protocol's, which holds even where other work has a part of the cores."""
        return self.own.processor / self.bare.processor


@dataclass
class Found:
    """What was found of one server, a start and a memory each round; ``failure`` is why it was given up, ``version`` is what is pinned."""

    starts: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    failure: str = ""
    version: str = ""


def take(server: Server, found: Found, effort: Effort, folder: Path, note: Callable[[str], None]) -> None:
    """Add one round of a server to what was found of it: a start, its memory after load, and a turn for each number of connections."""
    sent = [body(columns) for columns in drawn(KINDS[0], 1, _BODIES)]
    try:
        found.version = version(server)
        with running(server, folder / "server", sent[0]) as own:
            found.starts.append(own.cold_seconds)
            closed(Target(own.url, sent), max(CONNECTIONS), _WARM_UP_SECONDS, 1, warm=True)
            found.megabytes.append(resident(own.process))
            with running(BARE, folder / "bare", sent[0]) as bare:
                found.turns += _turns(own, bare, sent, effort.seconds, note)
    except RuntimeError as error:
        found.failure = str(error)


def _turns(own: Running, bare: Running, sent: Sequence[bytes], seconds: int, note: Callable[[str], None]) -> Iterator[Turn]:
    for connections in CONNECTIONS:
        note(f"{connections} connections")
        mine = _pace(own, sent, connections, seconds)
        yield Turn(connections, mine, _pace(bare, sent, connections, max(1, seconds // _BARE_SHARE)))


def _pace(server: Running, sent: Sequence[bytes], connections: int, seconds: int) -> Pace:
    before = processor_seconds(server.process)
    load = closed(Target(server.url, sent), connections, seconds, 1, warm=True)
    spent = processor_seconds(server.process) - before
    return Pace(load.rate, load.p99, 1e6 * spent / load.requests)
