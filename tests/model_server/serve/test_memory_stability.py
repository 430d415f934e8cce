"""Ten thousand connections that say nothing, and requests of all kinds without end: neither grows the server nor fails anybody."""

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.raw_http import LIVE, answers, connected, head, infer, read_all, read_status
from tests.model_server.support.request_bodies import flights
from tests.support.lengths import length

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

IDLE = 10_000
LARGEST_CONNECTION = 16_384  # bytes
LARGEST_GROWTH = 1.1

ROUNDS = length(100, 3_400)
REQUESTS = 300  # of a round
MANY_ROWS = infer("Connection: close", body=json.dumps(flights(10_000)).encode())
WRONG = [infer(body=b"junk"), infer(body=b"[" * 1_000), infer(body=json.dumps({"inputs": flights(1)["inputs"][1:]}).encode())]


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Let this process, and the server that it starts, open as many files as there are connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 1_000:
        pytest.skip(f"{IDLE} connections need as many open files, and this machine grants {hard}: raise the hard limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 1_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident(made: ServerPod) -> int:
    """The server's resident memory in bytes."""
    status = Path(f"/proc/{made.processes['serve'].pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def one_by_one(made: ServerPod, count: int) -> None:
    with connected(made) as connection:
        for _ in range(count):
            connection.sendall(infer())
            assert read_status(connection) == 200


@pytest.mark.usefixtures("descriptors")
def test_ten_thousand_idle_connections_cost_little_and_fail_nobody() -> None:
    with pod(late_flights()) as made, ExitStack() as stack:
        made.environment["MLMODEL_IDLE_SECONDS"] = "600"
        made.serve()
        one_by_one(made, 1_000)
        before = resident(made)
        idle = [stack.enter_context(connected(made, LIVE if number % 2 else b"")) for number in range(IDLE)]
        assert {read_status(connection) for connection in idle[1::2]} == {200}
        each = (resident(made) - before) / IDLE
        assert each < LARGEST_CONNECTION, f"{each:.0f} bytes for each connection"
        one_by_one(made, 2_000)
        with connected(made, infer() * 100 + infer("Connection: close")) as busy:
            assert [status for status, _ in answers(read_all(busy))] == [200] * 101
        for connection in idle:
            connection.sendall(LIVE)
        assert {read_status(connection) for connection in idle} == {200}
        assert made.served("requests_total", code="200") >= 3_101


def a_round(made: ServerPod, number: int) -> None:
    """Send requests that are predicted, malformed, of too many rows, too large, or given up; now and then more at once than are taken."""
    good = REQUESTS - 2 * len(WRONG) - 22
    poll(lambda: made.served("requests_in_flight") == 0, "the end of those that were given up")
    with connected(made, infer() * good + b"".join(WRONG * 2) + LIVE + infer("Connection: close")) as connection:
        statuses = [status for status, _ in answers(read_all(connection))]
    assert statuses == [200] * good + [400] * 2 * len(WRONG) + [200, 200]
    with connected(made, head("Host: x", "Content-Length: 9000000")) as connection:
        assert b" 413 " in connection.recv(65_536)
    for _ in range(19):
        with connected(made, infer() + infer()[:-9]) as vanishing:
            vanishing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
    if number % 10 == 0:
        with ExitStack() as stack:
            at_once = [stack.enter_context(connected(made, MANY_ROWS)) for _ in range(12)]
            assert {answers(read_all(connection))[0][0] for connection in at_once} <= {200, 429}


@pytest.mark.timeout(0)
def test_memory_stays_as_it_is_over_requests_of_all_kinds() -> None:
    with pod(late_flights()) as made:
        made.environment |= {"MLMODEL_MAX_REQUESTS": "4", "MLMODEL_THREADS": "1"}
        made.serve()
        warm = max(10, ROUNDS // 5)
        for number in range(warm):
            a_round(made, number)
        before = resident(made)
        for number in range(warm, ROUNDS):
            a_round(made, number)
        growth = resident(made) / before
        assert growth <= LARGEST_GROWTH, f"memory grew {growth:.2f} times"
        assert made.served("requests_total", code="429") > 0
        assert made.served("requests_total", code="500") == 0
