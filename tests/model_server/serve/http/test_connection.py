"""Input that is hostile, broken or merely odd HTTP: refused without harm to the requests before it or to anyone else."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from mlmodel_contract.environment import SOCKET_FEEDBACK

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.raw_http import BODY, LIVE, PATH, answers, connected, head, infer, read_all, read_answers
from tests.model_server.support.request_bodies import flights, ids, labels

pytestmark = pytest.mark.slow


NAMED = json.dumps({**flights(1), "id": "a"}).encode()


def named(name: str, *headers: str) -> bytes:
    """A request whose answer has that id, of one letter."""
    return infer(*headers, body=NAMED.replace(b'"a"', f'"{name}"'.encode()))


@pytest.fixture(scope="module")
def served() -> Iterator[ServerPod]:
    with pod(late_flights()) as made:
        made.environment |= {"MLMODEL_HEAD_SECONDS": "1", "MLMODEL_BODY_SECONDS": "1", "MLMODEL_IDLE_SECONDS": "3"}
        made.serve()
        yield made
        assert made.infer(flights(3)).status_code == 200
        assert made.served("requests_total", code="500") == 0
        poll(lambda: made.served("requests_in_flight") == 0, "the end of all requests")
        assert "Exception" not in made.log("serve"), made.log("serve")


REFUSED: dict[str, tuple[bytes, str]] = {
    "both lengths": (head("Host: x", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", "Content-Length"),
    "both lengths the other way round": (
        head("Host: x", "Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
        "Transfer-Encoding",
    ),
    "two lengths": (head("Host: x", "Content-Length: 5", "Content-Length: 6") + b"12345", "Content-Length"),
    "the same length twice": (head("Host: x", "Content-Length: 5", "Content-Length: 5") + b"12345", "Content-Length"),
    "a list of lengths": (head("Host: x", "Content-Length: 5, 5") + b"12345", "Content-Length"),
    "a signed length": (head("Host: x", "Content-Length: +5") + b"12345", "Content-Length"),
    "a length beyond all numbers": (head("Host: x", "Content-Length: 99999999999999999999"), "Content-Length"),
    "an unknown coding": (head("Host: x", "Transfer-Encoding: xchunked") + b"0\r\n\r\n", "Transfer-Encoding"),
    "chunked, and then another coding": (head("Host: x", "Transfer-Encoding: chunked, identity") + b"0\r\n\r\n", "Transfer-Encoding"),
    "a coding before chunked": (head("Host: x", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", "transfer-encoding"),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer-encoding"),
    "a space before the colon": (head("Host: x", "Content-Length : 5") + b"12345", "header"),
    "a folded header": (head("Host: x", "X: a", " b", "Content-Length: 0"), "header"),
    "a lone line feed": (b"POST / HTTP/1.1\nHost: x\nContent-Length: 0\n\n", "CR"),
    "a zero byte": (head("Host: x", "X: a\0b", "Content-Length: 0"), "header"),
    "no host": (head("Content-Length: 0"), "host is missing"),
    "two hosts": (head("Host: x", "Host: y", "Content-Length: 0"), "host is there twice"),
    "two content types": (head("Host: x", "Content-Type: a", "content-type: b", "Content-Length: 0"), "content-type is there twice"),
    "a later HTTP": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
    "a tunnel": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", "upgrade"),
    "another protocol": (infer("Connection: Upgrade", "Upgrade: h2c"), "upgrade"),
    "a chunk of no size": (head("Host: x", "Transfer-Encoding: chunked") + b"zz\r\n", "chunk size"),
}


@pytest.mark.parametrize(("sent", "part"), REFUSED.values(), ids=REFUSED)
def test_what_could_be_understood_in_two_ways_is_refused_and_ends_the_connection(served: ServerPod, sent: bytes, part: str) -> None:
    with connected(served, sent + LIVE) as connection:
        (refusal,) = answers(read_all(connection))
    assert refusal[0] == 400
    assert part.lower() in refusal[1]["error"].lower()


def test_a_request_is_given_up_when_its_body_is_refused(served: ServerPod) -> None:
    with connected(served, head("Host: x", "Transfer-Encoding: chunked") + b"5\r\n{") as connection:
        poll(lambda: served.served("requests_in_flight") == 1, "the request")
        connection.sendall(b'"a":zz\r\n')
        ((status, error),) = answers(read_all(connection))
    assert (status, "chunk" in error["error"]) == (400, True)


@pytest.mark.parametrize("piece", [1_000_000, 12_000], ids=["whole", "in pieces"])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(head("Host: x", f"X: {'a' * 40_000}", "Content-Length: 0"), id="one long header"),
        pytest.param(head("Host: x", *(f"X-{index}: {'a' * 1_000}" for index in range(33)), "Content-Length: 0"), id="long headers"),
        pytest.param(head("Host: x", *(f"X-{index}: a" for index in range(101))), id="many headers"),
        pytest.param(infer(path=f"/{'a' * 40_000}"), id="a long path"),
        pytest.param(head("Host: x")[:-2] + b"X: " + b"a" * 400_000, id="a header without end"),
    ],
)
def test_a_head_beyond_the_limit_is_refused(served: ServerPod, sent: bytes, piece: int) -> None:
    with connected(served) as connection:
        with suppress(BrokenPipeError):  # it may be refused before all of it is sent
            for start in range(0, len(sent), piece):
                connection.sendall(sent[start : start + piece])
        (refusal,) = answers(read_all(connection))
    assert refusal[0] == 431


def test_a_head_that_does_not_end_is_given_up(served: ServerPod) -> None:
    with connected(served, head("Host: x")[:-2]) as connection:
        ((status, error),) = answers(read_all(connection))
    assert status == 408
    assert "head" in error["error"]


@pytest.mark.parametrize(
    "sent",
    [pytest.param(infer()[:-5], id="stated length"), pytest.param(head("Host: x", "Transfer-Encoding: chunked") + b"5\r\n{", id="chunked")],
)
def test_a_body_that_does_not_end_is_given_up(served: ServerPod, sent: bytes) -> None:
    with connected(served, sent) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")
    poll(lambda: served.served("requests_in_flight") == 0, "the end of the request")


def test_a_slow_head_is_refused_after_the_response_to_the_request_before_it(served: ServerPod) -> None:
    label = json.dumps(labels(ids(served.infer(flights(1))), True)).encode()
    with socket.socket(socket.AF_UNIX) as sidecar:  # it takes the labels and never answers, which the server awaits for ten seconds
        sidecar.bind(str(served.path(SOCKET_FEEDBACK)))
        sidecar.listen()
        with connected(served, infer(body=label, path="/v2/models/x/feedback") + head("Host: x")[:-2]) as connection:
            assert [status for status, _ in answers(read_all(connection))] == [503, 408]
    served.path(SOCKET_FEEDBACK).unlink()


def test_idle_connections_are_closed_in_time_and_harm_nobody(served: ServerPod) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(served)) for _ in range(300)]
        assert served.infer(flights(1)).status_code == 200
        assert [read_all(connection) for connection in idle] == [b""] * 300


def test_pipelined_requests_are_answered_in_their_order(served: ServerPod) -> None:
    named = [infer(body=json.dumps({**flights(1), "id": str(index)}).encode()) for index in range(20)]
    with connected(served, b"".join([*named[:10], LIVE, *named[10:], infer("Connection: close")])) as connection:
        found = answers(read_all(connection))
    assert [status for status, _ in found] == [200] * 22
    assert [answer.get("id", answer.get("live")) for _, answer in found] == [*map(str, range(10)), True, *map(str, range(10, 20)), None]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([named("b")], [(200, "b")], id="another body of the same length"),
        pytest.param([named("b")[:-9], named("b")[-9:]], [(200, "b")], id="a body in two pieces"),
        pytest.param([named("b")[:40], named("b")[40:]], [(200, "b")], id="a head in two pieces"),
        pytest.param([named("b") + named("c")], [(200, "b"), (200, "c")], id="two requests in one piece"),
        pytest.param([named("b") + named("c")[:40], named("c")[40:]], [(200, "b"), (200, "c")], id="a request and a part of the next"),
        pytest.param([named("a")[: -len(NAMED)] + b"x" * len(NAMED), named("c")], [(400, None), (200, "c")], id="no JSON"),
        pytest.param([LIVE, named("c")], [(200, None), (200, "c")], id="another request between"),
        pytest.param([b"\r\n" + named("b"), named("c")], [(200, "b"), (200, "c")], id="an empty line before"),
        pytest.param([named("b", "X: 1"), named("c", "X: 1")], [(200, "b"), (200, "c")], id="another head, twice"),
        pytest.param([named("b")[:-1] + b"}}", named("c")], [(200, "b"), (400, None)], id="a byte too many, which begins the next request"),
    ],
)
def test_a_head_that_comes_again_means_what_it_meant(
    served: ServerPod, pieces: list[bytes], expected: list[tuple[int, str | None]]
) -> None:
    """The parser is not asked again for a cached head; whatever else comes is its own to read."""
    with connected(served, named("a")) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert read_answers(connection, 1)[0][0] == 200
        for piece in pieces:
            connection.sendall(piece)
        assert [(status, answer.get("id")) for status, answer in read_answers(connection, len(expected))] == expected


def test_a_body_that_comes_in_parts_behind_another_request_is_read_to_its_end(served: ServerPod) -> None:
    with connected(served, infer() + infer("Connection: close")[:-5]) as connection:
        first = connection.recv(65_536)
        connection.sendall(BODY[-5:])
        assert [status for status, _ in answers(first + read_all(connection))] == [200, 200]


def test_thousands_of_pipelined_requests_that_are_refused_at_once_do_not_nest(served: ServerPod) -> None:
    with connected(served, infer() + infer(body=b"") * 3_000 + infer("Connection: close")) as connection:
        assert [status for status, _ in answers(read_all(connection))] == [200, *[400] * 3_000, 200]


def test_what_is_refused_waits_for_the_answers_before_it(served: ServerPod) -> None:
    with connected(served, infer() + LIVE + infer(body=b"junk") + infer() + REFUSED["both lengths"][0] + infer()) as connection:
        assert [status for status, _ in answers(read_all(connection))] == [200, 200, 400, 200, 400]


def test_what_follows_the_last_request_of_a_connection_is_not_computed(served: ServerPod) -> None:
    before = served.served("rows_total")
    with connected(served, infer("Connection: close", body=b"junk") + infer() * 3) as connection:
        assert [status for status, _ in answers(read_all(connection))] == [400]
    assert served.infer(flights(1)).status_code == 200
    assert served.served("rows_total") == before + 1


def test_a_client_that_never_reads_is_not_answered_without_end(served: ServerPod) -> None:
    rows = infer(body=json.dumps(flights(50)).encode())
    before = served.served("rows_total")
    with connected(served) as connection:
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            _flood(connection, rows * 10)
        assert served.infer(flights(1)).status_code == 200
    assert served.served("rows_total") - before < 200_000


def _flood(connection: socket.socket, sent: bytes) -> None:
    while True:
        connection.sendall(sent)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(head("Host: x", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), id="one chunk"),
        pytest.param(
            head("Host: x", "Transfer-Encoding: chunked") + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n",
            id="a chunk a byte",
        ),
        pytest.param(
            head("Host: x", "Transfer-Encoding: chunked") + b"%x;a=b\r\n%b\r\n0\r\nHost: y\r\n\r\n" % (len(BODY), BODY), id="trailers"
        ),
        pytest.param(b"\r\n" + infer(), id="an empty line before"),
        pytest.param(infer("X: " + "a" * 20_000), id="a long header within the limit"),
        pytest.param(infer(path=PATH + "?a=b"), id="a query"),
        pytest.param(infer(path=PATH.replace("infer", "inf%65r")), id="an encoded path"),
        pytest.param(infer(body=BODY + b" " * 200_000), id="a long body"),
    ],
)
def test_odd_forms_of_a_good_request_are_answered(served: ServerPod, sent: bytes) -> None:
    with connected(served, sent + infer("Connection: close")) as connection:
        assert [status for status, _ in answers(read_all(connection))] == [200, 200]


def test_a_request_that_comes_byte_by_byte_is_answered(served: ServerPod) -> None:
    with connected(served) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in infer("Connection: close"):
            connection.sendall(bytes([byte]))
        assert [status for status, _ in answers(read_all(connection))] == [200]


def test_a_client_that_asks_before_it_sends_is_asked_to_go_on(served: ServerPod) -> None:
    request = infer("Expect: 100-continue", "Connection: close")
    with connected(served, request[: -len(BODY)]) as connection:
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_http_1_0_is_answered_and_closed(served: ServerPod) -> None:
    with connected(served, infer("Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")) as connection:
        assert [status for status, _ in answers(read_all(connection))] == [200]


@pytest.mark.parametrize(
    "sent", [b"", infer()[:-5], infer(), LIVE, infer() * 50], ids=["nothing", "half a body", "a request", "another", "many"]
)
def test_a_client_that_closes_its_side_or_vanishes_leaves_nothing_behind(served: ServerPod, sent: bytes) -> None:
    with connected(served, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    with connected(served, sent) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
    poll(lambda: served.served("requests_in_flight") == 0, "the end of the requests")


def test_connections_beyond_the_limit_are_refused_until_there_is_room() -> None:
    with pod(late_flights()) as made:
        made.environment["MLMODEL_MAX_CONNECTIONS"] = "3"
        server = made.serve()
        made.http.close()
        made.http = httpx.Client(headers={"Connection": "close"})
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(connected(made, LIVE)).recv(1000)
            with connected(made, LIVE) as refused:
                ((status, error),) = answers(read_all(refused))
            assert status == 503
            assert "3 connections" in error["error"]
        poll(lambda: made.infer(flights(1)).status_code == 200, "room")
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
