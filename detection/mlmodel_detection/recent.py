"""Rows whose label delay may not be over, and their labels, by stretch of time; written out as ``ReportCounts`` has them.

Not here: which labels are judged (``harm/maturity.py``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from mlmodel_contract.base import parse_time
from mlmodel_contract.report import MonitorReportSpec

from .counts import added, label_numbers


@dataclass(frozen=True)
class Recent:
    """Rows that were predicted before a time, and after the stretch before it, and the counts of their labels."""

    before: str
    rows: int
    labels: tuple[int, ...]

    def is_young(self, horizon: datetime) -> bool:
        """Return whether some of the rows were predicted after a time."""
        return parse_time(self.before) > horizon


@dataclass(frozen=True)
class YoungRows:
    """Counted rows whose label delay is not over, and the counts of their labels."""

    rows: int
    labels: tuple[int, ...]

    @property
    def awaited(self) -> int:
        """Rows whose label did not come."""
        return max(0, self.rows - self.labels[0])


def recent_rows(report: MonitorReportSpec) -> tuple[Recent, ...]:
    """Return a report's stretches; none of a report of 0.1."""
    return tuple(Recent(one.before, one.rows, label_numbers([one.labels, *one.groups])) for one in report.recent or ())


def by_stretch(stretches: Iterable[Recent]) -> tuple[Recent, ...]:
    """Add the counts of the same stretches, and sort them by time."""
    found: dict[str, Recent] = {}
    for one in stretches:
        known = found.get(one.before, Recent(one.before, 0, (0,) * len(one.labels)))
        found[one.before] = Recent(one.before, known.rows + one.rows, added(known.labels, one.labels))
    return tuple(found[before] for before in sorted(found))


def young_rows(stretches: Iterable[Recent], horizon: datetime, size: int) -> YoungRows:
    """Add up the stretches that end after a time; ``size`` numbers count labels."""
    young = [one for one in stretches if one.is_young(horizon)]
    return YoungRows(sum(one.rows for one in young), reduce(added, (one.labels for one in young), (0,) * size))
