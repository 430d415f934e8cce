"""Forwards verified labels to the sidecar, which stores them.

Not here: how labels are verified (``labels.py``), and what is done with a stored label.
"""

import asyncio
import logging
import ssl
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ..link.labels import ROUTE_FEEDBACK, Acknowledgement, LabelledPrediction
from .errors import Unavailable

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 10.0


class LabelForwarder:
    """Sends labels to the sidecar's socket, and waits until they are durable there.

    httpx is imported with the first labels, in a thread: it is large, and a server must be ready soon.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self._client: httpx.AsyncClient | None = None

    async def forward(self, labels: list[LabelledPrediction]) -> Acknowledgement:
        """Send labels.

        Raises:
            Unavailable: the sidecar does not answer or cannot store them; they may be sent again.

        """
        if self._client is None:
            await asyncio.to_thread(import_module, "httpx")
        from httpx import HTTPError

        try:
            response = await self._open_client().post(ROUTE_FEEDBACK, content=orjson.dumps({"labels": labels}))
            response.raise_for_status()
            acknowledgement: Acknowledgement = response.json()
        except (HTTPError, ValueError) as error:
            _log.warning("%d labels could not be handed to the monitor: %s %s", len(labels), type(error).__name__, error)
            raise Unavailable("the monitor does not take labels now: send them again") from error
        return acknowledgement

    async def aclose(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()

    def _open_client(self) -> "httpx.AsyncClient":
        if self._client is None:
            from httpx import AsyncClient, AsyncHTTPTransport

            without_certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to read them takes long, and none are needed for a socket
            transport = AsyncHTTPTransport(uds=self._socket, verify=without_certificates)
            self._client = AsyncClient(transport=transport, base_url="http://monitor", timeout=_TIMEOUT_SECONDS)
        return self._client
