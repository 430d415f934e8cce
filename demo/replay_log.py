"""The replay's line of JSON for each day, parsed into a typed value.

Not here: how the lines get here, and what follows from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True)
class Served:
    """Flights that one version predicted on a day, and the sum of their log loss (nats)."""

    rows: int
    loss: float


@dataclass(frozen=True)
class Day:
    """One replayed day: counts of what was sent and answered; ``began`` is the wall clock's time of its first flight."""

    day: date
    began: datetime
    requests: int
    failed: int
    rows: int
    feedback_requests: int
    feedback_failed: int
    feedback_rows: int
    feedback_accepted: int
    slowest_ms: float
    behind_seconds: float
    versions: Mapping[str, Served]
    errors: list[str]

    @property
    def loss(self) -> float:
        """Sum of the log loss of all predictions of the day."""
        return sum(served.loss for served in self.versions.values())


_DAY: TypeAdapter[Day] = TypeAdapter(Day)


def parse_line(line: str) -> Day | None:
    """Return the day of a line; None for any other line, such as a traceback's."""
    try:
        return _DAY.validate_json(line)
    except ValidationError:
        return None
