"""Delete captured rows, labels, and imported files of labels, day by day, once their retention is over.

Every sidecar of a model does it, for all of its versions: what another one has deleted is no error. Not here: writing them.
"""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from ..storage import Location, StorageError, list_folders, locate, remove

_log = logging.getLogger(__name__)


def delete_expired(captured: str, feedback: str, credentials: str | None, retention: timedelta, now: float | None = None) -> int:
    """Delete the days that ended longer ago than ``retention``; return how many folders went.

    Args:
        captured: URI of the captured rows and labels.
        feedback: URI of the folder that files of labels are put into.
        credentials: name of the mounted Secret with the store's keys.
        retention: how long they are kept.
        now: seconds since 1970; the clock's by default.

    """
    last = (datetime.fromtimestamp(time.time() if now is None else now, UTC) - retention).date()
    deleted = 0
    try:
        for day in _days(locate(captured, credentials), locate(feedback, credentials)):
            if (_date_of(day) or last) < last:
                remove(day)
                deleted += 1
    except StorageError as error:
        _log.warning("what was captured before %s is not deleted yet: %s", last, error)
    if deleted:
        _log.info("deleted %d folders of what was captured before %s", deleted, last)
    return deleted


def _days(captured: Location, feedback: Location) -> Iterator[Location]:
    """Yield the folders of single days."""
    for version in list_folders(captured.child("rows")):
        yield from list_folders(version)
    yield from list_folders(captured.child("labels"))
    yield from list_folders(feedback.child("done"))


def _date_of(folder: Location) -> date | None:
    try:
        return date.fromisoformat(folder.path.rpartition("/")[2])
    except ValueError:
        return None
