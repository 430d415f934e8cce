"""Numbers without their cycle: how far each is from what it usually is at that hour and season, for the trainer and the sidecar alike.

Not here: how a cycle is estimated, which is the trainer's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mlmodel_contract.bundle import FeatureProfile, SeasonalCycle
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOURS_A_WEEK = 168
_HOUR = 3600.0
_YEAR = 365.2425 * 24 * _HOUR
_MONDAY = 4 * 24 * _HOUR  # 1970-01-05, from the epoch


class CycleRemover:
    """Takes the cycles of a profile's numbers out of rows; ``names`` are the numbers that have one."""

    def __init__(self, features: Sequence[FeatureProfile]) -> None:
        self._cycles = {feature.name: feature.cycle for feature in features if feature.cycle}
        self.names = tuple(self._cycles)

    def remove(self, columns: Mapping[str, Any], seconds: Floats | None) -> Mapping[str, Any]:
        """Return the columns with each number that has a cycle as its distance from it, in the cycle's standard deviations.

        Args:
            columns: by name.
            seconds: the rows' times, since the epoch.

        Raises:
            ValueError: there are cycles and no times, or numbers and times differ in length.

        """
        if not self._cycles:
            return columns
        if seconds is None:
            raise ValueError(f"{self.names[0]} is compared with its season: its rows need their times")
        found = {name: cycle for name, cycle in self._cycles.items() if name in columns}
        return {**columns, **{name: deviations(np.asarray(columns[name], np.float64), seconds, cycle) for name, cycle in found.items()}}


def deviations(values: Floats, seconds: Floats, cycle: SeasonalCycle) -> Floats:
    """Return each value's distance from what is usual at its time, in standard deviations that are usual then."""
    return (values - expected(cycle.level, seconds)) / np.maximum(expected(cycle.spread, seconds), cycle.least_spread)


def expected(tables: Sequence[Sequence[float]], seconds: Floats) -> Floats:
    """Return the sum of the tables' entries at each time, each table's weighted by its wave of the year."""
    hour = hour_of_week(seconds)
    waves = year_waves(seconds, len(tables))
    return np.asarray(sum(np.asarray(table)[hour % len(table)] * wave for table, wave in zip(tables, waves, strict=True)), np.float64)


def hour_of_week(seconds: Floats) -> NDArray[np.int64]:
    """Return the hour of each time since Monday, 00:00 UTC."""
    return np.asarray(np.floor((seconds - _MONDAY) / _HOUR), np.int64) % HOURS_A_WEEK


def year_waves(seconds: Floats, number: int) -> list[Floats]:
    """Return so many of 1, cosine and sine of the year's turn, cosine and sine of twice that, ...: each an array by time."""
    turn = 2 * np.pi * (seconds / _YEAR)
    waves = [np.ones(len(seconds))]
    while len(waves) < number:
        times = (len(waves) + 1) // 2
        waves += [np.cos(times * turn), np.sin(times * turn)]
    return waves[:number]
