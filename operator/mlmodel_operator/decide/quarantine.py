"""What follows when a feed of live rows breaks or works again: the times that are not learned from, and the entries of the log.

Not here: how it is found (``mlmodel_detection.feed``), and that no run starts meanwhile (``run_start.py``).
"""

from datetime import datetime, timedelta

from mlmodel_contract.base import duration, format_time, parse_time
from mlmodel_contract.run import Quarantine
from mlmodel_contract.status import FeedStatus, LiveVersion, LoggedDecision

from ..snapshot import Model

MOST_QUARANTINES = 20


def is_broken(feed: FeedStatus | None) -> bool:
    """Return whether the feed is known to be broken."""
    return feed is not None and feed.state == "Broken"


def update_quarantine(
    model: Model, live: LiveVersion | None, feed: FeedStatus | None, now: datetime
) -> tuple[list[Quarantine], tuple[LoggedDecision, ...]]:
    """Return the quarantines, one opened where the live version's feed broke or closed where it works again, and the entries of the log."""
    quarantines = model.status.quarantine
    last = quarantines[-1] if quarantines else None
    is_open = last is not None and last.end is None
    if feed is None or is_broken(feed) == is_open:
        return quarantines, ()
    version = live.version if live else None
    if last is None or not is_open:
        opened = Quarantine(start=format_time(_last_sound_time(model, feed, now)))
        entry = LoggedDecision(time=format_time(now), decision="FeedBroken", version=version, message=feed.message)
        return [*quarantines, opened][-MOST_QUARANTINES:], (entry,)
    closed = Quarantine(start=last.start, end=format_time(now))
    message = f"the feed works again; rows from {closed.start} to {closed.end} are not learned from"
    entry = LoggedDecision(time=format_time(now), decision="FeedMended", version=version, message=message)
    return [*quarantines[:-1], closed], (entry,)


def _last_sound_time(model: Model, feed: FeedStatus, now: datetime) -> datetime:
    """Return the last time at which rows were surely as they should be: a report covers rows that are as old as the one before it."""
    monitoring = model.spec.monitoring
    unreported: timedelta = 2 * max(duration(monitoring.heartbeat), duration(monitoring.report_every))
    return (parse_time(feed.since) if feed.since else now) - unreported
