"""All that is known so far, and what follows from it: weeks, totals, which day was replayed when something was decided.

Pure: it holds values and computes from them. Not here: reading from the cluster, and showing anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from statistics import median

from mlmodel_contract.base import parse_time
from mlmodel_contract.status import LoggedDecision, MLModelStatus, ModelVersionStatus, RunStatus
from mlmodel_contract.version import ModelVersionSpec

from demo.replay_log import Day
from demo.scenario import Scenario


@dataclass(frozen=True)
class Version:
    """A ModelVersion: what it is, and how it fares."""

    spec: ModelVersionSpec
    status: ModelVersionStatus


@dataclass(frozen=True)
class Observation:
    """The cluster at one time; ``replay`` is None where there is no replay, else Running, Succeeded or Failed."""

    status: MLModelStatus
    versions: Mapping[str, Version]
    replay: str | None = None


@dataclass(frozen=True)
class Week:
    """A replayed week. Losses are mean log losses; ``first`` is what the first version alone would have had on the same flights."""

    start: date
    rows: int
    live: float
    first: float | None
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """Sums over the replay."""

    requests: int
    failed: int
    rows: int
    feedback_accepted: int
    slowest_ms: float
    behind_seconds: float


@dataclass(frozen=True)
class DatedDecision:
    """A decision of the operator, and the day that was replayed then; None before the replay."""

    entry: LoggedDecision
    day: date | None


@dataclass(frozen=True)
class FirstLoss:
    """What the first version alone would have had on a day: flights, and the sum of their log loss."""

    rows: int
    loss: float


@dataclass(frozen=True)
class Story:
    """Everything observed so far; ``runs`` has the last that was known of each run, by its number."""

    scenario: Scenario
    status: MLModelStatus = field(default_factory=MLModelStatus)
    versions: Mapping[str, Version] = field(default_factory=dict)
    replay: str | None = None
    days: tuple[Day, ...] = ()
    log: tuple[LoggedDecision, ...] = ()
    first: Mapping[date, FirstLoss] = field(default_factory=dict)
    runs: Mapping[int, RunStatus] = field(default_factory=dict)

    def updated(self, observation: Observation, days: tuple[Day, ...]) -> "Story":
        """Return the story with one more observation; decisions that the status has dropped meanwhile stay."""
        new = tuple(entry for entry in observation.status.decisions if entry not in self.log)
        run = observation.status.run
        return replace(
            self,
            status=observation.status,
            versions=observation.versions,
            replay=observation.replay,
            days=days,
            log=self.log + new,
            runs={**self.runs, run.number: run} if run else self.runs,
        )

    @property
    def totals(self) -> Totals:
        """Requests of both kinds, and the worst delays."""
        return Totals(
            requests=sum(day.requests + day.feedback_requests for day in self.days),
            failed=sum(day.failed + day.feedback_failed for day in self.days),
            rows=sum(day.rows for day in self.days),
            feedback_accepted=sum(day.feedback_accepted for day in self.days),
            slowest_ms=max((day.slowest_ms for day in self.days), default=0.0),
            behind_seconds=max((day.behind_seconds for day in self.days), default=0.0),
        )

    @property
    def weeks(self) -> list[Week]:
        """The weeks replayed so far, in order; the last one may have just begun."""
        by_week: dict[date, list[Day]] = {}
        for day in self.days:
            by_week.setdefault(self.scenario.week(day.day), []).append(day)
        return [self._week(start, days) for start, days in sorted(by_week.items()) if any(day.rows for day in days)]

    @property
    def decisions(self) -> list[DatedDecision]:
        """All decisions in order."""
        return [DatedDecision(entry, self.day_at(parse_time(entry.time))) for entry in self.log]

    @property
    def typical_run(self) -> timedelta:
        """How long the median run after the first one took, in the time of the replay; none where there was no such run."""
        later = [run for run in self.runs.values() if run.number > 1 and run.finished]
        seconds = [(parse_time(run.finished or "") - parse_time(run.started)).total_seconds() for run in later]
        return timedelta(days=median(seconds) / self.scenario.seconds_per_day) if seconds else timedelta(0)

    def day_at(self, time: datetime) -> date | None:
        """Return the day that was being replayed at a time of the wall clock; None before the replay."""
        begun = [day for day in self.days if day.began <= time]
        if begun:
            latest = max(begun, key=lambda day: day.began)
            passed = (time - latest.began).total_seconds() / self.scenario.seconds_per_day
            return latest.day + timedelta(days=min(int(passed), (self.scenario.last - latest.day).days))
        return None

    def served_by(self, version: str) -> tuple[int, float, date | None, date | None]:
        """Return a version's flights, its mean loss on them, and the first and last day that it answered on."""
        days = [day for day in self.days if version in day.versions]
        rows = sum(day.versions[version].rows for day in days)
        loss = sum(day.versions[version].loss for day in days) / rows if rows else 0.0
        return rows, loss, (days[0].day if days else None), (days[-1].day if days else None)

    def _week(self, start: date, days: list[Day]) -> Week:
        rows = sum(day.rows for day in days)
        first = [self.first[day.day] for day in days if day.day in self.first]
        first_rows = sum(part.rows for part in first)
        return Week(
            start,
            rows,
            sum(day.loss for day in days) / rows,
            sum(part.loss for part in first) / first_rows if first_rows else None,
            tuple(sorted({version for day in days for version in day.versions})),
        )
