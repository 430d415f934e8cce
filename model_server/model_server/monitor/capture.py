"""Live rows and labels on their way into the store, as the Parquet files that the contract's ``capture`` describes.

A file that could not be written is tried again at the next period; what finds no room in the meantime is dropped and counted.
Not here: which labels are accepted, and reading the files.
"""

import logging
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.capture import COLUMN_ARRIVED, COLUMN_ID, COLUMN_PREDICTION, COLUMN_TIME, COLUMN_TRACE
from mlmodel_contract.manifest import ColumnType
from numpy.typing import NDArray

from ..binning.monitored_prediction import monitored_prediction
from ..runtime.memory import trim_heap
from ..storage import Location, StorageError, locate, write_atomic
from .batch_merging import RowBatch, row_seconds
from .parquet import labels_content, rows_content
from .spool import Spool

_log = logging.getLogger(__name__)
_HASHES = 2**64
_FILE_ROWS = 5_000
_BUFFER_ROWS = 7_500


@dataclass(frozen=True)
class Destination:
    """Where captured files go: the folder's URI, the Secret with its keys, and what the files' names say."""

    folder: str
    credentials: str | None
    version: str
    pod: str


@dataclass(frozen=True)
class _File:
    name: str
    content: bytes
    rows: int


CapturedColumn: TypeAlias = "list[Any] | array[float]"
"""A column of captured rows: numbers side by side, NaN where missing, a quarter of what they are as objects; and others as they came."""


class RowBuffer:
    """Sampled rows that wait to become a file; filled by the receiving thread."""

    def __init__(self, schema: BundleSchema, fraction: float) -> None:
        self.dropped = 0
        self._schema = schema
        self._features = [column.name for column in schema.features if not column.sensitive]
        numbers = [column.name for column in schema.features if column.type is ColumnType.NUMBER]
        self._numbers = {*numbers, COLUMN_TIME, COLUMN_ARRIVED, COLUMN_PREDICTION}
        self._threshold = int(fraction * _HASHES)
        self._lock = Lock()
        self._columns = self._empty_columns()
        self._since: float | None = None

    def add(self, rows: RowBatch) -> None:
        """Add the sampled rows, as long as there is room."""
        sampled = self._sampled(rows.ids)
        with self._lock:
            room = max(0, _BUFFER_ROWS - len(self._columns[COLUMN_ID]))
            self.dropped += max(0, len(sampled) - room)
            if len(accepted := sampled[:room]):
                self._append(rows, accepted)

    def is_full(self) -> bool:
        """Return whether the rows are enough for a file."""
        return len(self) >= _FILE_ROWS

    def __len__(self) -> int:
        """Return how many rows wait."""
        with self._lock:
            return len(self._columns[COLUMN_ID])

    def is_older_than(self, seconds: float) -> bool:
        """Return whether the oldest row has waited for that many seconds or longer."""
        with self._lock:
            return self._since is not None and time.monotonic() - self._since >= seconds

    def pop_all(self) -> dict[str, CapturedColumn]:
        """Remove and return all rows, by column."""
        with self._lock:
            columns, self._columns, self._since = self._columns, self._empty_columns(), None
            return columns

    def _empty_columns(self) -> dict[str, CapturedColumn]:
        names = (*self._features, COLUMN_ID, COLUMN_TIME, COLUMN_ARRIVED, COLUMN_PREDICTION, COLUMN_TRACE)
        return {name: array("d") if name in self._numbers else [] for name in names}

    def _sampled(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the indices of the sampled rows, by their ids alone: each replica, and each attempt, decides in the same way."""
        if self._threshold >= _HASHES:
            return np.arange(len(ids))
        return np.flatnonzero([_hash(identity) < self._threshold for identity in ids])

    def _append(self, rows: RowBatch, indices: NDArray[np.int64]) -> None:
        for name, values in self._values(rows).items():
            column = self._columns[name]
            if isinstance(column, array):
                column.frombytes(np.asarray(values, np.float64)[indices].tobytes())
            else:
                column.extend([values[index] for index in indices.tolist()])
        self._since = time.monotonic() if self._since is None else self._since

    def _values(self, rows: RowBatch) -> dict[str, Any]:
        """Return all columns of a file, of all rows."""
        given, number = rows.columns, len(rows.ids)
        return {
            **{name: given.get(name, [None] * number) for name in self._features},
            COLUMN_ID: rows.ids,
            COLUMN_TIME: row_seconds(rows, self._schema),
            COLUMN_ARRIVED: rows.seconds,
            COLUMN_PREDICTION: monitored_prediction(rows.predictions, self._schema.task),
            COLUMN_TRACE: rows.traces,
        }


class Archive:
    """Writes rows and labels into the store; used by one thread at a time. ``clock`` tells seconds since 1970."""

    def __init__(
        self,
        destination: Destination,
        schema: BundleSchema,
        spool: Spool,
        on_captured: Callable[[int], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.failures = 0
        self._destination = destination
        self._schema = schema
        self._spool = spool
        self._on_captured = on_captured
        self._clock = clock
        self._root: Location | None = None
        self._pending: _File | None = None

    @property
    def pending(self) -> bool:
        """Whether a file of rows failed and has to be tried again."""
        return self._pending is not None

    def has_pending(self, buffer: RowBuffer) -> bool:
        """Return whether any rows or labels are not in the store yet.

        Raises:
            SpoolError: the spool cannot be read.

        """
        with self._spool.transaction() as transaction:
            return self.pending or len(buffer) > 0 or transaction.has_labels()

    def store_rows(self, buffer: RowBuffer) -> None:
        """Write the rows of the buffer, after those of a file that failed before.

        Raises:
            SpoolError: no number could be drawn for the file.

        """
        if self._pending is None:
            self._pending = self._next_file(buffer)
        if self._pending is not None and self._write(self._pending):
            self._on_captured(self._pending.rows)
            self._pending = None
            trim_heap()

    def store_labels(self) -> None:
        """Write the labels that the spool has queued.

        Raises:
            SpoolError: the spool cannot be read or written.

        """
        with self._spool.transaction() as transaction:
            labels = transaction.next_label_file()
        if labels is None:
            return
        number, rows = labels
        name = f"labels/{self._today()}/{self._destination.pod}-{number:08d}.parquet"
        if self._write(_File(name, labels_content(rows), len(rows))):
            with self._spool.transaction() as transaction:
                transaction.delete_labels(number)

    def _next_file(self, buffer: RowBuffer) -> _File | None:
        columns = buffer.pop_all()
        rows = len(columns[COLUMN_ID])
        if rows == 0:
            return None
        with self._spool.transaction() as transaction:
            number = transaction.next_file_number()
        name = f"rows/{self._destination.version}/{self._today()}/{self._destination.pod}-{number:08d}.parquet"
        return _File(name, rows_content(columns, self._schema), rows)

    def _write(self, file: _File) -> bool:
        """Write a file; return whether it is in the store."""
        try:
            if self._root is None:
                self._root = locate(self._destination.folder, self._destination.credentials)
            write_atomic(self._root, file.name, file.content)
        except StorageError as error:
            self._root = None  # the keys may have been renewed by the next attempt
            self.failures += 1
            _log.warning("%s with %d rows is not in the store yet: %s", file.name, file.rows, error)
            return False
        return True

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).date().isoformat()


def _hash(identity: str) -> int:
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "big")
