"""``python -m benchmarks.serving.echo uvicorn|class|loop PORT BYTES``: the floor below every server that stands on the same stack.

Receives whole requests and answers each with so many bytes of JSON, without a framework: as an ASGI application of uvicorn, as a
subclass of uvicorn's protocol class that answers past ASGI, or as a protocol on uvloop and httptools, the loop and the parser that uvicorn
uses. Not here: models.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_TYPE = (b"content-type", b"application/json")


def application(answer: bytes) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Return an ASGI application that gives one answer."""
    headers = [_TYPE, (b"content-length", str(len(answer)).encode())]

    async def echo(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return echo


class PastAsgi(HttpToolsProtocol):
    """Uvicorn's connection, whose requests reach no application: each is answered once it is whole."""

    answer: bytes

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url = b""
        self.headers = []
        self._body = b""

    def on_headers_complete(self) -> None:
        """Wait for the body."""

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer, with the headers that uvicorn gives to every answer."""
        headers = [*self.server_state.default_headers, _TYPE, (b"content-length", b"%d" % len(self.answer))]
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[200], *lines, b"\r\n", self.answer]))
        self.on_response_complete()


class Bare(asyncio.Protocol):
    """Answers as soon as httptools has parsed the end of a request."""

    def __init__(self, answer: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        self._answer = head.encode() + answer
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer."""
        self._transport.write(self._answer)


async def _serve(port: int, answer: bytes) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Bare(answer), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve until ended."""
    stack, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    answer = b"1" * size  # a number, and so JSON
    if stack == "loop":
        uvloop.run(_serve(port, answer))
    else:
        http: Any = type("Echo", (PastAsgi,), {"answer": answer}) if stack == "class" else "httptools"
        uvicorn.run(application(answer), port=port, http=http, loop="uvloop", lifespan="off", ws="none", access_log=False)


if __name__ == "__main__":
    main()
