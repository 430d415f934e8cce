"""The short form of the benchmark of HTTP servers: one of them, one round, one second."""

import math
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.servers import rows_of
from benchmarks.servers.peers import SERVERS, Server
from benchmarks.servers.rounds import CONNECTIONS, Found, Pace, Turn, take
from benchmarks.serving.cells import Effort

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")]

_EFFORT = Effort(seconds=1, repeats=1)


def test_a_server_has_turns_with_the_bare_protocol(tmp_path: Path) -> None:
    found = Found()
    take(SERVERS[0], found, _EFFORT, tmp_path, lambda _: None)
    assert not found.failure
    assert [turn.connections for turn in found.turns] == list(CONNECTIONS)
    assert all(turn.own.rate > 0 and turn.own.processor > 0 and turn.bare.processor > 0 for turn in found.turns)
    assert found.starts[0] > 0
    assert found.megabytes[0] > 0


def test_a_server_that_does_not_start_is_a_row_that_says_so(tmp_path: Path) -> None:
    found = Found()
    take(
        Server("none", lambda _python, _port: [sys.executable, "-c", "exit('there is no server')"]),
        found,
        _EFFORT,
        tmp_path,
        lambda _: None,
    )
    (row,) = rows_of({"none": found})
    assert math.isnan(row.value)
    assert "there is no server" in row.beside


def test_shares_are_medians_of_the_turns_own_ratios() -> None:
    turns = [Turn(c, Pace(rate, 1, 10), Pace(bare, 2, 4)) for c in CONNECTIONS for rate, bare in ((10, 40), (30, 60), (20, 100))]
    rows = {row.axis: row for row in rows_of({"one": Found([0.1], [20.0], turns)})}
    assert rows["bare protocol: c16"].value == 60
    assert rows["one: c16"].value == 20
    assert rows["one: c16"].beside == "10 us of processor time, p99 1 ms; 25% of bare (20 to 50), 2.5 times its time"
