"""The short form of the benchmark of HTTP servers: one of them, one round, one second."""

import math
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.servers import rows_of
from benchmarks.servers.peers import SERVERS, Server
from benchmarks.servers.rounds import CONNECTIONS, Measurement, PairedMeasurement, ServerResult, measure_round
from benchmarks.serving.cells import Effort

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")]

_EFFORT = Effort(seconds=1, repeats=1)


def test_a_server_is_measured_beside_the_bare_protocol(tmp_path: Path) -> None:
    result = ServerResult()
    measure_round(SERVERS[0], result, _EFFORT, tmp_path, lambda _: None)
    assert not result.failure
    assert [pair.connections for pair in result.pairs] == list(CONNECTIONS)
    assert all(pair.own.rate > 0 and pair.own.processor > 0 and pair.bare.processor > 0 for pair in result.pairs)
    assert result.starts[0] > 0
    assert result.megabytes[0] > 0


def test_a_server_that_does_not_start_is_a_row_that_says_so(tmp_path: Path) -> None:
    result = ServerResult()
    measure_round(
        Server("none", lambda _python, _port: [sys.executable, "-c", "exit('there is no server')"]),
        result,
        _EFFORT,
        tmp_path,
        lambda _: None,
    )
    (row,) = rows_of({"none": result})
    assert math.isnan(row.value)
    assert "there is no server" in row.beside


def test_shares_are_medians_of_the_pairs_own_ratios() -> None:
    pairs = [
        PairedMeasurement(c, Measurement(rate, 1, 10), Measurement(bare, 2, 4))
        for c in CONNECTIONS
        for rate, bare in ((10, 40), (30, 60), (20, 100))
    ]
    rows = {row.axis: row for row in rows_of({"one": ServerResult([0.1], [20.0], pairs)})}
    assert rows["bare protocol: c16"].value == 60
    assert rows["one: c16"].value == 20
    assert rows["one: c16"].beside == "10 us of processor time, p99 1 ms; 25% of bare (20 to 50), 2.5 times its time"
