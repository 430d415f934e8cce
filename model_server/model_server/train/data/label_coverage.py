"""Which captured rows may be learnt from, and whether their labels came for a choice of them.

A row counts as settled once its label delay is over, with its label or without; and earlier where nearly all rows of its day have theirs.
Among younger ones those are labelled first whose label comes soon, positives say. Pure. Not here: reading (``captured.py``).
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any

import numpy as np
from mlmodel_contract.run import Problem
from numpy.typing import NDArray

WHOLE = 0.99
"""Share of a day's rows that must have their label for the day to be learnt from at once."""

MOST_DIFFERENCE = 0.2
"""``data.checks.maxCoverageDifference`` where the manifest has none."""

_RANGES = 5  # of predictions, with as many rows each
_LEAST_ROWS = 50  # of a range, for its share to say anything
_CHANCE = 1e-4  # of refusing labels that came at random


@dataclass(frozen=True)
class Outcomes:
    """Captured rows: when each arrived (NaT: not known, so long ago), what was predicted (NaN: not known), and whether its label came."""

    arrived: NDArray[np.datetime64]
    predictions: NDArray[np.float64]
    labelled: NDArray[np.bool_]

    def settled(self, now: datetime, maturity: timedelta) -> NDArray[np.bool_]:
        """Return which rows have their label by now if one comes at all, or arrived on a day that is labelled as a whole."""
        latest = np.datetime64((now - maturity).replace(tzinfo=None), "us")
        days, day = np.unique(self.arrived.astype("datetime64[D]"), return_inverse=True)
        labelled = np.bincount(day, self.labelled, len(days)) >= WHOLE * np.bincount(day, minlength=len(days))
        result: NDArray[np.bool_] = np.isnat(self.arrived) | (self.arrived <= latest) | labelled[day]
        return result

    def select(self, mask: NDArray[np.bool_]) -> "Outcomes":
        """Return the rows where the mask holds."""
        return Outcomes(self.arrived[mask], self.predictions[mask], self.labelled[mask])

    def selective_labels(self, most: float | None) -> Problem | None:
        """Return the problem of labels that come less for some predictions than for others, beyond chance and by more than ``most``."""
        most = MOST_DIFFERENCE if most is None else most
        ranges = self._ranges()
        if len(ranges) < 2:
            return None
        low, high = min(ranges, key=lambda one: one.share), max(ranges, key=lambda one: one.share)
        if high.share - low.share <= max(most, _by_chance(low, high)):
            return None
        message = (
            f"labels came for {low} and for {high}, so that rows with labels are a choice by prediction; that is more than "
            f"data.checks.maxCoverageDifference {most:.0%}: label a random share of the rows in the former range, or raise the bound"
        )
        return Problem(check="SelectiveLabels", message=message)

    def _ranges(self) -> list["_Range"]:
        known = np.isfinite(self.predictions)
        predictions, labelled = self.predictions[known], self.labelled[known]
        if len(predictions) == 0:
            return []
        edges = np.unique(np.quantile(predictions, np.linspace(0, 1, _RANGES + 1)[1:-1]))
        found = np.searchsorted(edges, predictions)
        parts = [(predictions[found == index], labelled[found == index]) for index in range(len(edges) + 1)]
        enough = ((part, hits) for part, hits in parts if len(part) >= _LEAST_ROWS)
        return [_Range(float(part.min()), float(part.max()), len(part), float(hits.mean())) for part, hits in enough]


@dataclass(frozen=True)
class _Range:
    """A range of predictions: its ends, its rows, and the share of them that has a label."""

    least: float
    most: float
    rows: int
    share: float

    def __str__(self) -> str:
        return f"{self.share:.0%} of {self.rows:,} captured rows with a prediction from {self.least:.3g} to {self.most:.3g}"


def _by_chance(low: _Range, high: _Range) -> float:
    """Return the largest difference of two shares that may be chance, though they are the extreme ones of several."""
    pooled = (low.share * low.rows + high.share * high.rows) / (low.rows + high.rows)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / low.rows + 1 / high.rows))
    return NormalDist().inv_cdf(1 - _CHANCE / (_RANGES * (_RANGES - 1))) * deviation


def outcomes(table: Any) -> Outcomes:
    """Return the outcomes in an arrow table of three columns: arrived, predicted, whether labelled."""
    arrived, predictions, labelled = (column.to_numpy() for column in table.columns)
    return Outcomes(arrived.astype("datetime64[us]"), predictions.astype(np.float64), labelled.astype(np.bool_))
