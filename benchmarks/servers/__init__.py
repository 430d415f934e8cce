"""The choice of an HTTP server: the echo of each, beside a bare protocol on the loop and the parser that uvicorn uses."""

import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from benchmarks.servers.peers import BARE, SERVERS
from benchmarks.servers.rounds import CONNECTIONS, Found, Pace, Turn, take
from benchmarks.serving.cells import Effort
from benchmarks.table import Row, publish
from devtools.progress import Steps

_LIBRARIES = ("uvicorn", "uvloop", "httptools")


def run(only: Sequence[str], effort: Effort) -> None:
    """Measure in rounds, each of which has every server once; print the table, and write ``.bench/servers.json``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the servers, too
    chosen = [server for server in SERVERS if not only or any(server.name.lower().startswith(word.lower()) for word in only)]
    found = {server.name: Found() for server in chosen}
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        for turn in range(effort.repeats):
            for server in chosen:
                if not found[server.name].failure:
                    with steps.step(f"round {turn + 1} of {effort.repeats}: {server.name}") as step:
                        take(server, found[server.name], effort, Path(temporary) / f"{server.name}-{turn}", step.note)
    publish("servers", rows_of(found), _LIBRARIES)


def rows_of(found: Mapping[str, Found]) -> list[Row]:
    """Return the table of medians: the bare protocol's rates beside all servers, then each one's rates, its start, and its memory."""
    turns = [turn for each in found.values() for turn in each.turns]
    return [*_bare(turns), *(row for name, each in found.items() for row in _rows(name, each))]


def _bare(turns: Sequence[Turn]) -> Iterator[Row]:
    for connections in CONNECTIONS:
        if paces := [turn.bare for turn in turns if turn.connections == connections]:
            yield _rate(f"{BARE.name}: c{connections}", paces, _spread([pace.rate for pace in paces]))


def _rows(name: str, found: Found) -> Iterator[Row]:
    if found.failure:
        yield Row(f"{name}: not measured", float("nan"), "", beside=found.failure.strip()[-120:])
        return
    for connections in CONNECTIONS:
        turns = [turn for turn in found.turns if turn.connections == connections]
        yield _rate(f"{name}: c{connections}", [turn.own for turn in turns], _beside(turns))
    yield Row(f"{name}: start to the first answer", statistics.median(found.starts), "s", beside=_spread(found.starts))
    yield Row(f"{name}: memory after load", statistics.median(found.megabytes), "MB", beside=f"PSS; {found.version}".removesuffix("; "))


def _rate(axis: str, paces: Sequence[Pace], said: str) -> Row:
    rate, p99, processor = (statistics.median(values) for values in zip(*map(astuple, paces), strict=True))
    return Row(axis, rate, "requests/s", beside=f"{processor:.3g} us of processor time, p99 {p99:.3g} ms; {said}")


def _beside(turns: Sequence[Turn]) -> str:
    shares, times = [turn.share for turn in turns], [turn.times for turn in turns]
    return f"{statistics.median(shares):.3g}% of bare ({_spread(shares)}), {statistics.median(times):.3g} times its time"


def _spread(values: Sequence[float]) -> str:
    form = ",.0f" if min(values) >= 1_000 else ".3g"
    return f"{min(values):{form}} to {max(values):{form}}"
