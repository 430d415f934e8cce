"""The choice of an HTTP server: the echo of each, beside a bare protocol on the loop and the parser that uvicorn uses."""

import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from benchmarks.servers.peers import BARE, SERVERS
from benchmarks.servers.rounds import CONNECTIONS, Measurement, PairedMeasurement, ServerResult, measure_round
from benchmarks.serving.cells import Effort
from benchmarks.table import Row, publish
from devtools.progress import Steps

_LIBRARIES = ("uvicorn", "uvloop", "httptools")


def run(only: Sequence[str], effort: Effort) -> None:
    """Measure in rounds, each of which has every server once; print the table, and write ``.bench/servers.json``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the servers, too
    chosen = [server for server in SERVERS if not only or any(server.name.lower().startswith(word.lower()) for word in only)]
    results = {server.name: ServerResult() for server in chosen}
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        for index in range(effort.repeats):
            for server in chosen:
                result = results[server.name]
                if not result.failure:
                    with steps.step(f"round {index + 1} of {effort.repeats}: {server.name}") as step:
                        measure_round(server, result, effort, Path(temporary) / f"{server.name}-{index}", step.note)
    publish("servers", rows_of(results), _LIBRARIES)


def rows_of(results: Mapping[str, ServerResult]) -> list[Row]:
    """Return the table of medians: the bare protocol's rates beside all servers, then each one's rates, its start, and its memory."""
    pairs = [pair for result in results.values() for pair in result.pairs]
    return [*_bare(pairs), *(row for name, result in results.items() for row in _rows(name, result))]


def _bare(pairs: Sequence[PairedMeasurement]) -> Iterator[Row]:
    for connections in CONNECTIONS:
        if bare := [pair.bare for pair in pairs if pair.connections == connections]:
            yield _rate(f"{BARE.name}: c{connections}", bare, _spread([one.rate for one in bare]))


def _rows(name: str, result: ServerResult) -> Iterator[Row]:
    if result.failure:
        yield Row(f"{name}: not measured", float("nan"), "", beside=result.failure.strip()[-120:])
        return
    for connections in CONNECTIONS:
        pairs = [pair for pair in result.pairs if pair.connections == connections]
        yield _rate(f"{name}: c{connections}", [pair.own for pair in pairs], _ratios(pairs))
    yield Row(f"{name}: start to the first answer", statistics.median(result.starts), "s", beside=_spread(result.starts))
    yield Row(f"{name}: memory after load", statistics.median(result.megabytes), "MB", beside=f"PSS; {result.version}".removesuffix("; "))


def _rate(axis: str, measurements: Sequence[Measurement], comparison: str) -> Row:
    rate, p99, processor = (statistics.median(values) for values in zip(*map(astuple, measurements), strict=True))
    return Row(axis, rate, "requests/s", beside=f"{processor:.3g} us of processor time, p99 {p99:.3g} ms; {comparison}")


def _ratios(pairs: Sequence[PairedMeasurement]) -> str:
    shares, times = [pair.share for pair in pairs], [pair.times for pair in pairs]
    return f"{statistics.median(shares):.3g}% of bare ({_spread(shares)}), {statistics.median(times):.3g} times its time"


def _spread(values: Sequence[float]) -> str:
    form = ",.0f" if min(values) >= 1_000 else ".3g"
    return f"{min(values):{form}} to {max(values):{form}}"
