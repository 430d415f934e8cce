"""Retraining on drifted inputs: the newest period's rows are compared with those that the fit which serves had learnt from.

- Evidently's preset for data drift, by its documentation (docs.evidentlyai.com/reference/data-drift-algorithm) and its defaults in
  ``calculations/stattests``: with a reference of 1,000 rows at most a Kolmogorov-Smirnov test of numbers and a chi-squared test of
  categories, p < 0.05; with more rows the Wasserstein distance over the reference's standard deviation and the Jensen-Shannon
  distance, each from 0.1 on. The data drifted where half of the columns did.
- The same tests whatever the rows are, as alibi-detect or NannyML would have them, again with half of the columns.

Simplified: numbers of five values or fewer are treated as categories with the chi-squared test for two values, too. Not here: rules that
look at losses (``cost_rules.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from benchmarks.loop.fits import Recipe

_P_VALUE, _DISTANCE, _SHARE = 0.05, 0.1, 0.5
_SMALL_REFERENCE, _FEW_VALUES = 1_000, 5
_LEAST_DEVIATION = 0.001

Test = Callable[[Any, Any], bool]
"""Says of a column's values in the reference and in the newest rows whether they differ."""


@dataclass(frozen=True)
class InputDrift:
    """Fits again at the start of the period after one whose rows drifted."""

    name: str
    source: str
    differs: Test

    def refits(self, recipe: Recipe) -> list[int]:
        """See ``Rule``."""
        found: list[int] = []
        serving = 0
        for period in range(1, len(recipe.rows)):
            newest = recipe.stream.columns(int(recipe.first_rows[period - 1]), int(recipe.first_rows[period]))
            learnt = recipe.learnt[serving]
            reference = recipe.stream.columns(int(learnt[0]), int(learnt[-1]) + 1)
            rows = learnt - learnt[0]
            if recipe.rows[period - 1] and _share(self.differs, {name: of[rows] for name, of in reference.items()}, newest) >= _SHARE:
                serving = period
                found.append(period)
        return found


def _share(differs: Test, reference: dict[str, Any], newest: dict[str, Any]) -> float:
    return float(np.mean([differs(_present(reference[name]), _present(newest[name])) for name in reference]))


def _present(values: Any) -> Any:
    """Return the values that are not missing; categories as texts."""
    if values.dtype == object:
        return np.array([str(value) for value in values if value is not None])
    numbers = values.astype(np.float64)
    return numbers[np.isfinite(numbers)]


def _tested(reference: Any, newest: Any) -> bool:
    if not len(reference) or not len(newest):
        return len(reference) != len(newest)
    if _is_number(reference, newest):
        return bool(ks_2samp(reference, newest).pvalue < _P_VALUE)
    counts = _counts(reference, newest)
    return counts.shape[1] > 1 and bool(chi2_contingency(counts).pvalue < _P_VALUE)


def _evidently(reference: Any, newest: Any) -> bool:
    if len(reference) <= _SMALL_REFERENCE or not len(newest):
        return _tested(reference, newest)
    if _is_number(reference, newest):
        deviation = max(float(np.std(reference)), _LEAST_DEVIATION)
        return bool(wasserstein_distance(reference, newest) / deviation >= _DISTANCE)
    return bool(jensenshannon(*_counts(reference, newest)) >= _DISTANCE)


def _is_number(reference: Any, newest: Any) -> bool:
    return reference.dtype == np.float64 and len(np.unique(np.concatenate([reference, newest]))) > _FEW_VALUES


def _counts(reference: Any, newest: Any) -> Any:
    values, codes = np.unique(np.concatenate([reference, newest]), return_inverse=True)
    parts = codes[: len(reference)], codes[len(reference) :]
    return np.stack([np.bincount(part, minlength=len(values)) for part in parts])


RULES = (
    InputDrift("Evidently", "defaults of its preset for data drift", _evidently),
    InputDrift("Kolmogorov-Smirnov", "p < 0.05 in half of the columns", _tested),
)
