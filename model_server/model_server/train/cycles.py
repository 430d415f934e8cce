"""The cycles of the training rows: what a number usually is at each hour of the day and week and at each season.

A cycle is estimated by least squares and taken out only where that makes a lasting change much easier to see. Reference rows are compared
with a cycle that other weeks say, as live rows are. Pure. Not here: taking a known cycle out (``binning/cycles.py``), and the slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import SeasonalCycle
from numpy.typing import NDArray

from ..binning.cycles import HOURS_A_WEEK, Floats, deviations, expected, hour_of_week, year_waves

_DAY = 86_400.0
_FEWEST_ROWS = 2_000
_SHORTEST = 56 * _DAY  # eight weeks: a week's pattern that was seen less often is a matter of chance
_NEARLY_A_YEAR = 330 * _DAY
_TURNS = (1, 4)  # a year, of which the first is estimated for each hour of the day by itself
_ROWS_FOR_WEEKDAYS = 4_000
_FOLDS, _FOLD = 4, 7 * _DAY  # of four weeks one is compared with the cycle of the other three
_MOST_ROWS = 20_000  # that a cycle is estimated from
_RIDGE = 0.01  # rows: a cell that has none is as the mean
_LEAST_SPREAD = 0.2  # of the mean absolute distance
_SPREAD_OF_DISTANCE = float(np.sqrt(np.pi / 2))  # standard deviation over mean absolute distance of a normal number


@dataclass(frozen=True)
class Deseasonalised:
    """A number's cycle, and how far training rows are from one that they did not take part in: as such, and in its spreads."""

    cycle: SeasonalCycle
    distances: Floats
    deviations: Floats

    @property
    def terms(self) -> int:
        """Terms of the year's turns; what is wrong with them is wrong for a season."""
        return len(self.cycle.level) - 1


class CycleFitter:
    """Estimates cycles of numbers whose rows have these times, in seconds since the epoch and in order."""

    def __init__(self, seconds: Floats) -> None:
        self._seconds = seconds
        self._folds = np.asarray(seconds // _FOLD, np.int64) % _FOLDS
        sample = np.arange(len(seconds))
        if len(sample) > _MOST_ROWS:  # drawn, since regular steps might meet the same hours only
            sample = np.sort(np.random.default_rng(0).choice(sample, _MOST_ROWS, replace=False))
        self._sample = sample

    def fit(self, values: Floats) -> list[Deseasonalised]:
        """Return the values without each cycle that they may have (NaN where missing); none where times are too few or too short."""
        span = float(self._seconds[-1] - self._seconds[0]) if len(self._seconds) else 0.0
        rows = int(np.isfinite(values[self._sample]).sum())
        if span < _SHORTEST or rows < _FEWEST_ROWS:
            return []
        sizes = (HOURS_A_WEEK, 24) if rows >= _ROWS_FOR_WEEKDAYS else (24, 1)
        found = (self._fit(values, sizes, turns) for turns in (_TURNS if span >= _NEARLY_A_YEAR else (0,)))
        return [one for one in found if one]

    def _fit(self, values: Floats, sizes: tuple[int, int], turns: int) -> Deseasonalised | None:
        """Return the values without their cycle, None where nothing is left of them."""
        first, hours = sizes
        levels = self._by_fold((first, *[hours] * 2, *[1] * 2 * (turns - 1)) if turns else (first,), values)
        distances = values - self._out_of_fold(levels)
        least = float(np.nanmean(np.abs(distances))) * _LEAST_SPREAD
        if least == 0.0:
            return None
        spreads = self._by_fold((24, *[1] * 2 * turns), np.abs(distances) * _SPREAD_OF_DISTANCE)
        cycles = [SeasonalCycle(level=level, spread=spread, least_spread=least) for level, spread in zip(levels, spreads, strict=True)]
        apart = np.full(len(values), np.nan)
        for fold, cycle in enumerate(cycles[1:]):
            own = self._folds == fold
            apart[own] = deviations(values[own], self._seconds[own], cycle)
        return Deseasonalised(cycles[0], distances, apart)

    def _by_fold(self, sizes: Sequence[int], values: Floats) -> list[list[list[float]]]:
        """Return tables of these sizes, estimated from all rows, then for each fold from the rows of the others."""
        sample = self._sample[np.isfinite(values[self._sample])]
        mean = float(values[sample].mean())
        basis, folds, target = _basis(sizes, self._seconds[sample]), self._folds[sample], values[sample] - mean
        parts = [(basis[folds == fold], target[folds == fold]) for fold in range(_FOLDS)]
        grams = [(part.T @ part, part.T @ aim) for part, aim in parts]
        whole = (sum(gram for gram, _ in grams), sum(moment for _, moment in grams))
        systems = [whole, *((whole[0] - gram, whole[1] - moment) for gram, moment in grams)]
        ridge = _RIDGE * np.eye(basis.shape[1])
        return [_tables(sizes, np.linalg.solve(gram + ridge, moment), mean) for gram, moment in systems]

    def _out_of_fold(self, tables: Sequence[Sequence[Sequence[float]]]) -> Floats:
        found = np.empty(len(self._seconds))
        for fold, of_others in enumerate(tables[1:]):
            own = self._folds == fold
            found[own] = expected(of_others, self._seconds[own])
        return found


def _basis(sizes: Sequence[int], seconds: Floats) -> Floats:
    """Return the basis functions at each time: times x cells of all tables."""
    hour = hour_of_week(seconds)
    waves = zip(sizes, year_waves(seconds, len(sizes)), strict=True)
    return np.concatenate([_one_hot(hour % size, size) * wave[:, None] for size, wave in waves], axis=1)


def _tables(sizes: Sequence[int], coefficients: Floats, mean: float) -> list[list[float]]:
    """Return the cells of each table; the mean belongs to the first."""
    first, *others = np.split(coefficients, np.cumsum(sizes)[:-1])
    return [(first + mean).tolist(), *(table.tolist() for table in others)]


def _one_hot(index: NDArray[np.int64], size: int) -> Floats:
    found = np.zeros((len(index), size))
    found[np.arange(len(index)), index] = 1.0
    return found
