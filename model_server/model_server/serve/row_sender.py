"""Sends predicted rows to the monitor as packets, and never blocks.

The kernel buffers a few hundred kilobytes of packets; what does not fit waits in a bounded backlog, and is sent when the socket is writable
again. Rows that do not fit there, or find no monitor, are dropped and counted. All of it runs on the event loop's thread. Not here: what
the monitor does with the rows.
"""

import asyncio
import logging
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from ..link.row_packet_head import PACKET_LIMIT
from ..link.row_packets import Batch, encode
from .inference.data_plane import PredictedBatch

_log = logging.getLogger(__name__)
_MAX_BACKLOG_BYTES = 16 * 2**20
_SOCKET_BUFFER_BYTES = 2**20  # the kernel may grant less
_FLOAT_BYTES = 8

Buffers: TypeAlias = "list[bytes | memoryview]"


class RowSender:
    """Sends predicted rows to the socket at ``path``; calls ``on_dropped`` with the number of rows that could not be sent."""

    def __init__(self, path: Path, on_dropped: Callable[[int], None]) -> None:
        self._path = str(path)
        self._on_dropped = on_dropped
        self._server = secrets.token_hex(8)
        self._served = 0
        self._last_announced = 0
        self._backlog: deque[_Message] = deque()
        self._backlog_bytes = 0
        self._socket: socket.socket | None = None
        self._waits_until_writable = False

    def send(self, predicted: PredictedBatch) -> None:
        """Send rows without waiting."""
        self._served += len(predicted.ids)
        try:
            messages = list(_messages(self._batch(predicted)))
        except TypeError as error:  # the caller must get its predictions all the same
            _log.error("%d rows cannot be handed to the monitor: %s", len(predicted.ids), error)
            self._on_dropped(len(predicted.ids))
            return
        for message in messages:
            self._enqueue(message)
        self._send_backlog()

    def send_heartbeat(self) -> None:
        """Send the number of served rows if the monitor has not got the latest: so it learns of dropped rows without more traffic."""
        if self._last_announced != self._served and not self._backlog:
            for message in _messages(self._batch(_empty_batch())):
                self._enqueue(message)
            self._send_backlog()

    async def flush(self, seconds: float) -> None:
        """Wait until the backlog is sent, for at most ``seconds``; then close, and drop what is left."""
        deadline = time.monotonic() + seconds
        while self._backlog and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self._disconnect()
        self._drop_backlog()

    def _batch(self, predicted: PredictedBatch) -> Batch:
        return Batch(
            self._server,
            self._served,
            predicted.seconds,
            predicted.ids,
            predicted.names,
            predicted.numbers,
            predicted.others,
            predicted.predictions,
            predicted.traces,
        )

    def _enqueue(self, message: "_Message") -> None:
        if message.size > PACKET_LIMIT or self._backlog_bytes + message.size > _MAX_BACKLOG_BYTES:
            self._on_dropped(message.rows)
            return
        self._backlog.append(message)
        self._backlog_bytes += message.size

    def _send_backlog(self) -> None:
        if self._waits_until_writable:
            return
        while self._backlog:
            message = self._backlog[0]
            try:
                self._transmit(message.buffers)
            except BlockingIOError:
                self._wait_until_writable()
                return
            except OSError:  # there is no monitor, or it has ended
                self._disconnect()
                self._drop_backlog()
                return
            self._backlog.popleft()
            self._backlog_bytes -= message.size
            self._last_announced = message.served

    def _transmit(self, buffers: Buffers) -> None:
        """Send, on a new connection if the old one is broken: a restarted monitor listens at the same path with another socket."""
        if self._socket is not None:
            try:
                _send(self._socket, buffers)
            except BlockingIOError:
                raise
            except OSError:
                self._disconnect()
            else:
                return
        _send(self._connection(), buffers)

    def _wait_until_writable(self) -> None:
        self._waits_until_writable = True
        asyncio.get_running_loop().add_writer(self._connection().fileno(), self._writable)

    def _writable(self) -> None:
        self._stop_waiting()
        self._send_backlog()

    def _stop_waiting(self) -> None:
        if self._waits_until_writable and self._socket is not None:
            asyncio.get_running_loop().remove_writer(self._socket.fileno())
        self._waits_until_writable = False

    def _connection(self) -> socket.socket:
        if self._socket is None:
            candidate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
            try:
                candidate.connect(self._path)
            except OSError as error:  # also BlockingIOError, which is no connection either
                candidate.close()
                raise ConnectionRefusedError(error.errno, error.strerror) from error
            self._socket = candidate
        return self._socket

    def _disconnect(self) -> None:
        self._stop_waiting()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _drop_backlog(self) -> None:
        self._on_dropped(sum(message.rows for message in self._backlog))
        self._backlog.clear()
        self._backlog_bytes = 0


class _Message(NamedTuple):
    buffers: Buffers
    size: int
    rows: int
    served: int  # rows served, up to this message's last


def _send(connection: socket.socket, buffers: Buffers) -> None:
    """Send a packet; ``send`` takes a third of the time of ``sendmsg``."""
    if len(buffers) == 1:
        connection.send(buffers[0])
    else:
        connection.sendmsg(buffers)


def _messages(batch: Batch) -> Iterator[_Message]:
    """Encode rows as one packet, or as several where one would be too long."""
    rows, max_rows = len(batch.ids), _max_rows(batch)
    if rows <= max_rows:
        buffers = encode(batch)
        size = sum(map(len, buffers))
        if size <= PACKET_LIMIT or rows == 1:
            yield _Message(buffers, size, rows, batch.served)
            return
        max_rows = rows // 2  # long texts
    for start in range(0, rows, max_rows):
        yield from _messages(batch.part(start, min(start + max_rows, rows)))


def _max_rows(batch: Batch) -> int:
    """Return how many rows may fit into a packet, by their numbers and ids: to encode more would be in vain."""
    row_bytes: int = _FLOAT_BYTES * (batch.numbers.shape[1] + batch.predictions.shape[1]) + max(map(len, batch.ids[:1]), default=0)
    return max(1, PACKET_LIMIT // row_bytes)


def _empty_batch() -> PredictedBatch:
    return PredictedBatch(time.time(), [], [], np.empty((0, 0)), {}, np.empty((0, 1)), {})
