"""The hand-over of predicted rows to the monitor: packets that are never waited for.

A kernel holds a few hundred kilobytes of packets, so what does not fit at once waits in a bounded backlog and is sent when the monitor has
room; what does not fit there, or finds no monitor, is dropped and counted. All of it runs on the event loop's thread. Not here: what the
monitor makes of the rows.
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
_BACKLOG_BYTES = 16 * 2**20
_KERNEL_BYTES = 2**20  # a kernel gives less, as it is set up
_NUMBER_BYTES = 8

Parts: TypeAlias = "list[bytes | memoryview]"


class RowSender:
    """Sends what was predicted to the socket at ``path``; calls ``dropped`` with the number of rows that the monitor will miss."""

    def __init__(self, path: Path, dropped: Callable[[int], None]) -> None:
        self._path = str(path)
        self._dropped = dropped
        self._server = secrets.token_hex(8)
        self._served = 0
        self._told = 0
        self._backlog: deque[_Message] = deque()
        self._backlog_bytes = 0
        self._socket: socket.socket | None = None
        self._waiting = False

    def offer(self, predicted: PredictedBatch) -> None:
        """Hand over rows without waiting."""
        self._served += len(predicted.ids)
        try:
            messages = list(_messages(self._batch(predicted)))
        except TypeError as error:  # the caller has its predictions, and must get them
            _log.error("%d rows cannot be handed to the monitor: %s", len(predicted.ids), error)
            self._dropped(len(predicted.ids))
            return
        for message in messages:
            self._put(message)
        self._send()

    def tell_served(self) -> None:
        """Tell the monitor the number of served rows where it has not heard the latest: it learns of dropped rows without more traffic."""
        if self._told != self._served and not self._backlog:
            for message in _messages(self._batch(_nothing())):
                self._put(message)
            self._send()

    async def flush(self, seconds: float) -> None:
        """Wait at most so long until the backlog is sent, then close."""
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

    def _put(self, message: "_Message") -> None:
        if message.size > PACKET_LIMIT or self._backlog_bytes + message.size > _BACKLOG_BYTES:
            self._dropped(message.rows)
            return
        self._backlog.append(message)
        self._backlog_bytes += message.size

    def _send(self) -> None:
        if self._waiting:
            return
        while self._backlog:
            message = self._backlog[0]
            try:
                self._transmit(message.parts)
            except BlockingIOError:
                self._wait()
                return
            except OSError:  # no monitor there, or it went away
                self._disconnect()
                self._drop_backlog()
                return
            self._backlog.popleft()
            self._backlog_bytes -= message.size
            self._told = message.served

    def _transmit(self, parts: Parts) -> None:
        """Send; a monitor that was restarted listens at the same path with another socket."""
        if self._socket is not None:
            try:
                _send(self._socket, parts)
            except BlockingIOError:
                raise
            except OSError:
                self._disconnect()
            else:
                return
        _send(self._connected(), parts)

    def _wait(self) -> None:
        self._waiting = True
        asyncio.get_running_loop().add_writer(self._connected().fileno(), self._writable)

    def _writable(self) -> None:
        self._stop_waiting()
        self._send()

    def _stop_waiting(self) -> None:
        if self._waiting and self._socket is not None:
            asyncio.get_running_loop().remove_writer(self._socket.fileno())
        self._waiting = False

    def _connected(self) -> socket.socket:
        if self._socket is None:
            candidate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
            try:
                candidate.connect(self._path)
            except OSError as error:  # one that would block is no connection either
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
        self._dropped(sum(message.rows for message in self._backlog))
        self._backlog.clear()
        self._backlog_bytes = 0


class _Message(NamedTuple):
    parts: Parts
    size: int
    rows: int
    served: int  # rows up to this message's last


def _send(connection: socket.socket, parts: Parts) -> None:
    """Send a packet; one part alone takes a third of the time."""
    if len(parts) == 1:
        connection.send(parts[0])
    else:
        connection.sendmsg(parts)


def _messages(batch: Batch) -> Iterator[_Message]:
    """Encode rows as one packet, or as several where one would be too long."""
    rows, most = len(batch.ids), _most_rows(batch)
    if rows <= most:
        parts = encode(batch)
        size = sum(map(len, parts))
        if size <= PACKET_LIMIT or rows == 1:
            yield _Message(parts, size, rows, batch.served)
            return
        most = rows // 2  # texts that take much room
    for start in range(0, rows, most):
        yield from _messages(batch.part(start, min(start + most, rows)))


def _most_rows(batch: Batch) -> int:
    """Return how many rows may fit into a packet, by their numbers and ids: to encode more would be in vain."""
    row: int = _NUMBER_BYTES * (batch.numbers.shape[1] + batch.predictions.shape[1]) + max(map(len, batch.ids[:1]), default=0)
    return max(1, PACKET_LIMIT // row)


def _nothing() -> PredictedBatch:
    return PredictedBatch(time.time(), [], [], np.empty((0, 0)), {}, np.empty((0, 1)), {})
