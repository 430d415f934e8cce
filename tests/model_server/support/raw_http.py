"""HTTP of the tests that is written and read byte by byte.

Not here: what is sent.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from devtools.pods import ServerPod
from tests.model_server.support.request_bodies import flights

PATH = "/v2/models/x/infer"
BODY = json.dumps(flights(1)).encode()


def infer(*headers: str, body: bytes = BODY, path: str = PATH) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def head(*lines: str) -> bytes:
    return "\r\n".join([f"POST {PATH} HTTP/1.1", *lines, "", ""]).encode()


LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def connected(made: ServerPod, sent: bytes = b"") -> Iterator[socket.socket]:
    url = httpx.URL(made.url)
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall(sent)
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def read_status(connection: socket.socket) -> int:
    """Read one whole answer; return its status."""
    return read_answers(connection, 1)[0][0]


def read_answers(connection: socket.socket, number: int) -> list[tuple[int, Any]]:
    """Read so many whole answers, in however many parts they come."""
    received = b""
    while len(found := answers(received)) < number:
        part = connection.recv(65_536)
        assert part, f"the connection was closed after {received!r}"
        received += part
    return found


def answers(received: bytes) -> list[tuple[int, Any]]:
    """Take responses apart that all have a content-length; one that is not whole is left out."""
    found = []
    while b"\r\n\r\n" in received:
        start, _, rest = received.partition(b"\r\n\r\n")
        lines = start.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        length = int(headers["content-length"])
        if len(rest) < length:
            break
        found.append((int(lines[0].split()[1]), json.loads(rest[:length])))
        received = rest[length:]
    return found
