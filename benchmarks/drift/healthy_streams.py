"""Columns that are hard to leave alone: zip codes, ids, numbers that are mostly zero, and seasons.

How often streams of them alarm though nothing changes, and how soon a lasting shift within a season is found. Not here: streams of usual
columns (``false_alarms.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from mlmodel_detection.feed import FeedDetector
from scipy.signal import lfilter
from scipy.stats import beta

from benchmarks.drift.detection_pipeline import BinnedRows, DetectionPipeline, Floats, Values
from benchmarks.drift.parallel import each
from benchmarks.table import Row, at_most

LEVEL, _FEED_LEVEL = 0.01, 0.001
_REFERENCES = (1_000, 3_000, 10_000)
_LIVE, _BUCKET = 30_000, 250
_DAY, _YEAR = 24, 24 * 365
_START, _HOUR = 1_672_531_200.0, 3_600.0  # 2023-01-01, in seconds since the epoch
_DEPENDENCE = (0.0, 0.5, 0.8)  # of an hour's weather on that of the hour before
_SHIFTS = ((0.0, 0.5), (0.5, 0.5), (0.8, 1.0))  # dependence, and standard deviations
_CALM_DAYS, _MOST_DAYS, _GOAL_DAYS = 30, 330, 60


@dataclass(frozen=True)
class HealthyStream:
    """A stream without drift: what its column holds, and its seed."""

    kind: str
    seed: int


@dataclass(frozen=True)
class ShiftedSeason:
    """Hourly weather that becomes warmer for good: how far an hour depends on the one before, its seed, the shift in spreads."""

    dependence: float
    seed: int
    shift: float = 0.5


def measure(streams: int, shifts: int) -> list[Row]:
    """Return the false alarms on so many streams of all kinds, and the days until so many shifts of each dependence are found."""
    return [*false_alarms(streams), *days_until_found(shifts)]


def false_alarms(streams: int) -> list[Row]:
    """Test streams without drift, at no tolerance; an alarm is confirmed drift or a broken feed."""
    kinds = [*_DRAWS, _SEASONS]
    tasks = [HealthyStream(kinds[seed % len(kinds)], seed) for seed in range(streams)]
    alarmed = dict(zip(tasks, each(_alarms, tasks, "healthy streams of hard columns"), strict=True))
    by_kind = {kind: [alarm for task, alarm in alarmed.items() if task.kind == kind] for kind in kinds}
    beside = ", ".join(f"{kind} {sum(alarms)}/{len(alarms)}" for kind, alarms in by_kind.items())
    total = sum(alarmed.values())
    upper = 100 * float(beta.ppf(0.975, total + 1, streams - total))
    axis, unit = "false alarms, ids, zip codes, sparse columns and seasons", f"% of {streams} streams"
    return [at_most(axis, 100 * total / streams, 100 * LEVEL, unit, f"95%: at most {upper:.2g}%; {beside}")]


def days_until_found(shifts: int) -> list[Row]:
    """Shift the weather for good after a year of reference and a calm month, and wait for the alarm, with the default tolerance."""
    rows = []
    for dependence, shift in _SHIFTS:
        tasks = [ShiftedSeason(dependence, 10_000 + seed, shift) for seed in range(shifts)]
        days = np.array(each(_days_until_found, tasks, f"shifted seasons, dependence {dependence:g}"))
        early, late = int((days <= 0).sum()), days[days > 0]
        axis = f"days until {shift:g} sd within the season are found, hours' dependence {dependence:g}"
        beside = f"9 of 10 within {np.quantile(late, 0.9, method='higher'):.0f} days; before the shift {early}"
        unit = f"days, median of {shifts}"
        rows.append(at_most(axis, float(np.median(late)), _GOAL_DAYS, unit, beside))
    return rows


@dataclass(frozen=True)
class _Column:
    """A model's one column: its values, of which the first ones are the reference, and where it has seasons its rows' times."""

    kind: ColumnType
    values: Values
    reference: int
    seconds: Floats | None = None

    def watched(self, random: np.random.Generator, level: float, tolerance: float) -> tuple[DetectionPipeline, BinnedRows]:
        """Train on the reference, and return the live rows as they are counted."""
        columns = [SchemaColumn(name="x", type=self.kind)]
        schema = BundleSchema(task=Task.REGRESSION, features=columns, target="t", target_type=ColumnType.NUMBER, time="at")
        predictions, end = random.standard_normal((len(self.values), 1)), self.reference
        before, after = (None, None) if self.seconds is None else (self.seconds[:end], self.seconds[end:])
        pipeline = DetectionPipeline(schema, {"x": self.values[:end]}, predictions[:end], level, tolerance, seconds=before)
        return pipeline, pipeline.bin_rows({"x": self.values[end:]}, predictions[end:], after)


def _alarms(task: HealthyStream) -> bool:
    random = np.random.default_rng(task.seed)
    pipeline, live = _healthy_column(task.kind, random).watched(random, LEVEL, tolerance=0.0)
    detector, feed = pipeline.detector(), FeedDetector(pipeline.references, _FEED_LEVEL)
    for start in range(0, len(live.cells), _BUCKET):
        bucket = pipeline.bucket(live.select(slice(start, start + _BUCKET)))
        state = detector.update(bucket).state.value
        if state == "Confirmed" or feed.update(bucket.rows, bucket.cells, (0, 0), "").state == "Broken":
            return True
    return False


def _healthy_column(kind: str, random: np.random.Generator) -> _Column:
    if kind == _SEASONS:
        seconds = _hours(3 * _YEAR)
        weather = _weather(random, len(seconds), _DEPENDENCE[random.integers(len(_DEPENDENCE))])
        return _Column(ColumnType.NUMBER, _temperature(seconds, weather), _YEAR, seconds)
    of_type, draw = _DRAWS[kind]
    reference = _REFERENCES[random.integers(len(_REFERENCES))]
    return _Column(of_type, draw(random, reference + _LIVE), reference)


def _days_until_found(task: ShiftedSeason) -> float:
    random = np.random.default_rng(task.seed)
    calm = _YEAR + _DAY * _CALM_DAYS
    seconds = _hours(calm + _DAY * _MOST_DAYS)
    weather = _weather(random, len(seconds), task.dependence)
    weather[calm:] += task.shift
    column = _Column(ColumnType.NUMBER, _temperature(seconds, weather), _YEAR, seconds)
    pipeline, live = column.watched(random, 0.45 * LEVEL, tolerance=0.05)
    alarm = pipeline.first_alarm(live, _DAY + 1)
    return (alarm.row - _DAY * _CALM_DAYS) / _DAY if alarm else float("inf")


def _hours(number: int) -> Floats:
    return _START + _HOUR * np.arange(number, dtype=np.float64)


def _zip_codes(random: np.random.Generator, rows: int) -> list[str]:
    """Draw from 200 codes that are equally frequent, or from 3,000 of which few are and many are not."""
    frequency = np.ones(200) if random.random() < 0.5 else np.arange(1, 3_001) ** -0.7
    return [f"{code:05d}" for code in random.choice(len(frequency), rows, p=frequency / frequency.sum())]


def _ids(random: np.random.Generator, rows: int) -> list[str]:
    return [f"id-{number}" for number in random.integers(0, 10**7, rows)]


def _sparse(random: np.random.Generator, rows: int) -> Floats:
    """Draw zeros, and one time in 20, 50 or 2,000 something else: amounts, or whole numbers."""
    amounts = random.lognormal(3, 1, rows)
    present = random.random(rows) < random.choice([0.05, 0.02, 0.0005])
    return np.where(present, np.floor(amounts) if random.random() < 0.5 else amounts, 0.0)


_SEASONS = "seasons"
_DRAWS: dict[str, tuple[ColumnType, Callable[[np.random.Generator, int], Values]]] = {
    "zip codes": (ColumnType.CATEGORY, _zip_codes),
    "ids": (ColumnType.CATEGORY, _ids),
    "sparse": (ColumnType.NUMBER, _sparse),
}


def _weather(random: np.random.Generator, rows: int, dependence: float) -> Floats:
    """Return noise of variance 1, each hour's depending on the one before."""
    noise = random.standard_normal(rows)
    return np.asarray(lfilter([np.sqrt(1 - dependence**2)], [1.0, -dependence], noise), np.float64)


def _temperature(seconds: Floats, weather: Floats) -> Floats:
    """Return degrees with a year and a day, whose nights are colder in winter, and with weather that is wilder then."""
    year, day = 2 * np.pi * seconds / (365.2425 * _DAY * _HOUR), 2 * np.pi * seconds / (_DAY * _HOUR)
    return np.asarray(10 - 12 * np.cos(year - 0.4) - (4 - np.cos(year)) * np.cos(day - 0.6) + (3 + np.cos(year)) * weather, np.float64)
