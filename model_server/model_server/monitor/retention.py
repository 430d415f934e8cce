"""Captured rows, labels, and files of labels that were taken are deleted, day by day, once their time to be kept is over.

Every sidecar of a model does it, for all of its versions: what another one has deleted is no fault. Not here: writing them.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from ..storage import Location, StorageError, folders, locate, remove

_log = logging.getLogger(__name__)


def enforce(captured: str, feedback: str, credentials: str | None, retention: timedelta) -> int:
    """Delete the days that ended longer ago than ``retention``; return how many folders went.

    Args:
        captured: URI of the captured rows and labels.
        feedback: URI of the folder that files of labels are dropped into.
        credentials: name of the mounted Secret with the store's keys.
        retention: how long they are kept.

    """
    last = (datetime.now(UTC) - retention).date()
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
    for version in folders(captured.child("rows")):
        yield from folders(version)
    yield from folders(captured.child("labels"))
    yield from folders(feedback.child("done"))


def _date_of(folder: Location) -> date | None:
    try:
        return date.fromisoformat(folder.path.rpartition("/")[2])
    except ValueError:
        return None
