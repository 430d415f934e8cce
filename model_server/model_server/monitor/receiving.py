"""The socket that predicted rows arrive at, and the thread that empties it.

Not here: what is done with them.
"""

import logging
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from mlmodel_contract.handover import DATAGRAM_LIMIT

from ..datagrams import Batch, decode
from .gathering import Gathered, gather

_log = logging.getLogger(__name__)
_TOGETHER = 64  # datagrams that are counted together, which is cheaper for each
_LOOK_SECONDS = 0.2


class Receiver:
    """Listens at ``path`` and passes on what arrives, in order; a datagram that is no batch is left out and counted."""

    def __init__(self, path: Path, take: Callable[[Gathered], None], damaged: Callable[[], None]) -> None:
        self._take = take
        self._damaged = damaged
        self._end = Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # left by a former process
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self._thread = Thread(target=self._run, name="receiver", daemon=True)

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def stop(self) -> None:
        """Receive what has arrived, then end."""
        self._end.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._end.is_set():
            select.select([self._socket], [], [], _LOOK_SECONDS)
            self._empty()
        self._empty()

    def _empty(self) -> None:
        while waiting := self._waiting():
            self._pass_on(waiting)

    def _waiting(self) -> list[bytes]:
        datagrams: list[bytes] = []
        with suppress(BlockingIOError):
            while len(datagrams) < _TOGETHER:
                datagrams.append(self._socket.recv(DATAGRAM_LIMIT))
        return datagrams

    def _pass_on(self, datagrams: Sequence[bytes]) -> None:
        batches: list[Batch] = []
        for datagram in datagrams:
            try:
                batches.append(decode(datagram))
            except (ValueError, KeyError, TypeError) as error:
                self._damaged()
                _log.warning("a datagram of %d bytes is no batch: %s", len(datagram), error)
        try:
            for gathered in gather(batches):
                self._take(gathered)
        except Exception:  # the thread must outlive whatever a batch does; its rows show as missed
            _log.exception("%d batches could not be taken", len(batches))
