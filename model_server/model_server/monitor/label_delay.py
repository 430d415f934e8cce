"""The label delay, and the stretches of time by which rows and labels are counted apart until it is over.

All pods of a version have the same stretches, so that the operator can add them up. Not here: what is counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_STRETCHES = 10  # of the delay: a report has little more than these
_KEPT = 3  # heartbeats for which rows are still counted apart when the delay is over: the operator waits for two, for all pods' reports


@dataclass(frozen=True)
class LabelDelay:
    """A label that comes has come ``seconds`` after the prediction; pods report every ``heartbeat`` seconds at least."""

    seconds: float
    heartbeat: float = 0.0

    def stretch(self, time: float) -> int:
        """Return the number of the stretch that a time is in; in seconds since the epoch."""
        return int(time // self._width)

    def end(self, stretch: int) -> float:
        """Return the time at which a stretch ends; in seconds since the epoch."""
        return (stretch + 1) * self._width

    def is_over(self, stretch: int, now: float) -> bool:
        """Return whether the delay of all rows of a stretch is over."""
        return self.end(stretch) + self.seconds <= now

    def recent(self, stretches: Iterable[int], now: float) -> list[int]:
        """Return those of the stretches that are to be counted apart."""
        return [stretch for stretch in stretches if self.end(stretch) + self.seconds + _KEPT * self.heartbeat > now]

    @property
    def _width(self) -> float:
        return max(1.0, self.seconds / _STRETCHES, self.heartbeat)
