"""``python -m benchmarks.serving.echo uvicorn|loop PORT BYTES``: the floor below every server that stands on the same stack.

Takes requests whole and answers each with so many bytes, without a framework: as an ASGI application of uvicorn, or as a protocol on
uvloop and httptools, the loop and the parser that uvicorn uses. Not here: models.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import uvicorn
import uvloop

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


class Bare(asyncio.Protocol):
    """Answers as soon as httptools has seen the end of a request."""

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
    answer = b"x" * size
    if stack == "loop":
        uvloop.run(_serve(port, answer))
    else:
        uvicorn.run(application(answer), port=port, http="httptools", loop="uvloop", lifespan="off", ws="none", access_log=False)


if __name__ == "__main__":
    main()
