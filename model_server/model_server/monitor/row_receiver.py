"""The socket that predicted rows arrive at, and the thread that reads it.

Not here: what is done with the rows.
"""

import logging
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import cast

from ..link.row_packet_head import PACKET_LIMIT
from ..link.row_packets import Batch, decode
from .batch_merging import RowBatch, merge_batches

_log = logging.getLogger(__name__)
_SERVERS = 64  # processes of the server that connect at once
_TOGETHER = 64  # packets that are counted together, which is cheaper for each
_SELECT_SECONDS = 0.2
_PAUSE_SECONDS = 0.005
_MANY_BYTES = 65_536


class RowReceiver:
    """Listens at ``path`` and passes on what arrives, in order; a packet that is no batch is left out and counted.

    It pauses between two polls unless much arrives: to be woken for each packet would cost the server more than to send it.
    """

    def __init__(self, path: Path, on_batch: Callable[[RowBatch], None], on_damaged: Callable[[], None]) -> None:
        self._on_batch = on_batch
        self._on_damaged = on_damaged
        self._end = Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # left by a former process
            path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(_SERVERS)
        self._listener.setblocking(False)
        self._sockets = selectors.DefaultSelector()
        self._sockets.register(self._listener, selectors.EVENT_READ)
        self._thread = Thread(target=self._run, name="receiver", daemon=True)

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def stop(self) -> None:
        """Receive what has arrived, then end."""
        self._end.set()
        self._thread.join()
        for key in list(self._sockets.get_map().values()):
            self._close(cast(socket.socket, key.fileobj))
        self._sockets.close()

    def _run(self) -> None:
        while not self._end.is_set():
            if self._drain(_SELECT_SECONDS) < _MANY_BYTES:
                time.sleep(_PAUSE_SECONDS)
        self._drain(0)  # accept a last connection
        self._drain(0)  # and read what it sent

    def _drain(self, seconds: float) -> int:
        """Wait for packets, at most so long, and pass them on; return how many bytes they had."""
        size = 0
        for key, _ in self._sockets.select(seconds):
            if key.fileobj is self._listener:
                self._accept()
            else:
                arrived = self._packets(cast(socket.socket, key.fileobj))
                while packets := list(islice(arrived, _TOGETHER)):
                    size += sum(map(len, packets))
                    self._pass_on(packets)
        return size

    def _accept(self) -> None:
        with suppress(OSError):  # it is gone already
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._sockets.register(connection, selectors.EVENT_READ)

    def _packets(self, connection: socket.socket) -> Iterator[bytes]:
        """Return what has arrived by a connection; close it where the server has."""
        with suppress(BlockingIOError):
            while packet := _received(connection):
                yield packet
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._sockets.unregister(connection)
        connection.close()

    def _pass_on(self, packets: Sequence[bytes]) -> None:
        batches: list[Batch] = []
        for packet in packets:
            try:
                batches.append(decode(packet))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self._on_damaged()
                _log.warning("a packet of %d bytes is no batch: %s", len(packet), error)
        try:
            for merged in merge_batches(batches):
                self._on_batch(merged)
        except Exception:  # the thread must outlive any batch; its rows show as missed
            _log.exception("%d batches could not be taken", len(batches))


def _received(connection: socket.socket) -> bytes:
    """Return the next packet, nothing where the connection has ended."""
    try:
        return connection.recv(PACKET_LIMIT)
    except ConnectionError:
        return b""
