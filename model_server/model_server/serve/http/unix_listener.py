"""The server for the other containers of its pod: a socket in a folder that only they have, without TLS, and open to all of them.

The monitor sends labels there that came by files. Not here: what is answered.
"""

import asyncio
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn


async def listen_locally(path: Path, config: uvicorn.Config, server: uvicorn.Server) -> asyncio.AbstractServer:
    """Listen; the connections are the server's own, so that they are held to its limits and end with it."""
    config.load()

    def connect() -> asyncio.Protocol:
        return config.http_protocol_class(config=config, server_state=server.server_state, app_state={})  # type: ignore[call-arg]

    return await asyncio.get_running_loop().create_unix_server(connect, sock=_listener(path))


def _listener(path: Path) -> socket.socket:
    """Listen at a path of its own, then rename it to ``path``: several workers may do so at once, and the last one has it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with TemporaryDirectory(dir=path.parent) as folder:
        own = Path(folder) / path.name
        listener.bind(str(own))
        listener.listen()
        own.replace(path)
    return listener
