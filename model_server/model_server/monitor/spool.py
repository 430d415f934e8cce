"""What the sidecar must still know after a restart, in an SQLite file that a killed process cannot leave half written.

It holds the row counts as they were last saved, the label counts, in all and of recent predictions, the ids whose label came, and the
labels that are not in the store yet.
Safe to be used by several threads. Not here: what is counted.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

_OUTBOX_ROWS = 500_000
_RENAME_TABLE_OF_0_1 = "ALTER TABLE seen RENAME TO received_ids; DROP INDEX IF EXISTS seen_time;"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recent_labels (stretch INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS received_ids (signature BLOB PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS received_ids_time ON received_ids (time);
CREATE TABLE IF NOT EXISTS outbox (id TEXT NOT NULL, truth TEXT NOT NULL, time REAL NOT NULL, file INTEGER);
CREATE INDEX IF NOT EXISTS outbox_file ON outbox (file);
"""


class SpoolError(Exception):
    """The spool cannot be read or written."""


@dataclass(frozen=True)
class QueuedLabel:
    """A label for the store. ``truth`` is JSON; ``time`` in seconds since the epoch."""

    signature: bytes
    id: str
    truth: str
    time: float


class Transaction:
    """A transaction on the spool: all of it becomes durable, or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add_received_id(self, label: QueuedLabel) -> bool:
        """Store the id of a label; return whether this is its first label."""
        cursor = self._connection.execute("INSERT OR IGNORE INTO received_ids VALUES (?, ?)", (label.signature, label.time))
        return cursor.rowcount == 1

    def enqueue_labels(self, labels: Sequence[QueuedLabel]) -> int:
        """Queue labels for the store, and return how many found no room."""
        (queued,) = self._connection.execute("SELECT count(*) FROM outbox").fetchone()
        accepted = labels[: max(0, _OUTBOX_ROWS - queued)]
        self._connection.executemany(
            "INSERT INTO outbox (id, truth, time) VALUES (?, ?, ?)", [(label.id, label.truth, label.time) for label in accepted]
        )
        return len(labels) - len(accepted)

    def put(self, name: str, value: Any) -> None:
        """Set a named JSON value."""
        self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, orjson.dumps(value)))

    def get(self, name: str) -> Any:
        """Return a named JSON value, None where it was never set."""
        row = self._connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def put_recent_labels(self, changed: Mapping[int, Any], removed: Iterable[int]) -> None:
        """Set the JSON value of some stretches of the label delay, and delete that of others."""
        rows = [(stretch, orjson.dumps(value)) for stretch, value in changed.items()]
        self._connection.executemany("INSERT OR REPLACE INTO recent_labels VALUES (?, ?)", rows)
        self._connection.executemany("DELETE FROM recent_labels WHERE stretch = ?", [(stretch,) for stretch in removed])

    def recent_labels(self) -> dict[int, Any]:
        """Return the JSON value of each stretch of the label delay."""
        return {stretch: orjson.loads(value) for stretch, value in self._connection.execute("SELECT stretch, value FROM recent_labels")}

    def next_file_number(self) -> int:
        """Return a number that no file of this pod has yet."""
        number = int(self.get("file") or 0) + 1
        self.put("file", number)
        return number

    def next_label_file(self) -> tuple[int, list[tuple[str, str, float]]] | None:
        """Return the labels of the next file and its number; the same again until ``delete_labels``."""
        row = self._connection.execute("SELECT min(file) FROM outbox").fetchone()
        number = row[0]
        if number is None:
            if not self.has_labels():
                return None
            number = self.next_file_number()
            self._connection.execute("UPDATE outbox SET file = ? WHERE file IS NULL", (number,))
        return number, self._connection.execute("SELECT id, truth, time FROM outbox WHERE file = ?", (number,)).fetchall()

    def has_labels(self) -> bool:
        """Return whether labels are queued."""
        return self._connection.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is not None

    def delete_labels(self, number: int) -> None:
        """Delete the labels of a file, once it is in the store."""
        self._connection.execute("DELETE FROM outbox WHERE file = ?", (number,))

    def delete_received_ids(self, before: float) -> None:
        """Delete ids whose label came before a time, in seconds since the epoch."""
        self._connection.execute("DELETE FROM received_ids WHERE time < ?", (before,))


class Spool:
    """An SQLite file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(folder / "spool.db", check_same_thread=False, isolation_level=None)
            if self._connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seen'").fetchone():
                self._connection.executescript(_RENAME_TABLE_OF_0_1)
            self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;" + _SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"the spool in {folder} cannot be opened ({error}): give the sidecar a writable volume there") from error
        self._lock = Lock()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction; when the block ends, it is on the disk.

        Raises:
            SpoolError: the disk is full or broken; nothing is changed.

        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield Transaction(self._connection)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise SpoolError(f"the spool cannot be written ({error}): give its volume more room") from error
            except BaseException:
                self._roll_back()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
