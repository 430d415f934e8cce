"""What follows when a feed of live rows is found broken, or mended: the times that are not learned from, and what people are told.

Not here: how it is found (``monitoring/quality.py``), and that no run starts meanwhile (``triggers.py``).
"""

from datetime import datetime, timedelta

from mlmodel_contract.base import duration
from mlmodel_contract.run import Quarantine
from mlmodel_contract.status import FeedStatus, LoggedDecision, MLModelStatus

from ..snapshot import Model
from .desired_state import moment, stamp

KEPT = 20


def is_broken(feed: FeedStatus | None) -> bool:
    """Tell whether the feed is known to be broken."""
    return feed is not None and feed.state == "Broken"


def advance(model: Model, status: MLModelStatus, now: datetime) -> tuple[MLModelStatus, tuple[LoggedDecision, ...]]:
    """Open a quarantine where the live version's feed broke, close it where it works again, and say so."""
    times, broken = list(status.quarantine), is_broken(status.feed)
    is_open = bool(times) and times[-1].end is None
    if status.feed is None or broken == is_open:
        return status, ()
    version = status.live.version if status.live else None
    if broken:
        times.append(Quarantine(start=stamp(_began(model, status.feed, now))))
        told = LoggedDecision(time=stamp(now), decision="FeedBroken", version=version, message=status.feed.message)
    else:
        times[-1] = times[-1].model_copy(update={"end": stamp(now)})
        message = f"the feed works again; rows from {times[-1].start} to {times[-1].end} are not learned from"
        told = LoggedDecision(time=stamp(now), decision="FeedMended", version=version, message=message)
    return status.model_copy(update={"quarantine": times[-KEPT:]}), (told,)


def _began(model: Model, feed: FeedStatus, now: datetime) -> datetime:
    """Return the last time at which rows were surely as they should be: a report tells of rows that are as old as the one before it."""
    monitoring = model.spec.monitoring
    unreported: timedelta = 2 * max(duration(monitoring.heartbeat), duration(monitoring.report_every))
    return (moment(feed.since) if feed.since else now) - unreported
