"""Kolmogorov-Smirnov and chi-square tests with Bonferroni's correction, and the population stability index."""

from collections.abc import Callable
from typing import Any

import numpy as np
from common import measure, print_results
from scipy.stats import chi2_contingency, ks_2samp

LEVEL = 0.01
WINDOWS = 100


def tests(reference: Any, numbers: int) -> Callable[[Any], bool]:
    """Correct for the features and for the windows that will be asked about."""
    level = LEVEL / reference.shape[1] / WINDOWS

    def alarm(rows: Any) -> bool:
        return any(_p_value(reference[:, index], rows[:, index], index < numbers) < level for index in range(reference.shape[1]))

    return alarm


def psi(limit: float) -> Callable[[Any, int], Callable[[Any], bool]]:
    """Ten quantile bins, or the categories, and the usual limit."""

    def make(reference: Any, numbers: int) -> Callable[[Any], bool]:
        edges = [_edges(reference[:, index], index < numbers) for index in range(reference.shape[1])]
        known = [_shares(reference[:, index], edge) for index, edge in enumerate(edges)]

        def alarm(rows: Any) -> bool:
            return any(_psi(share, _shares(rows[:, index], edges[index])) > limit for index, share in enumerate(known))

        return alarm

    return make


def _p_value(reference: Any, live: Any, is_number: bool) -> float:
    if is_number:
        return float(ks_2samp(reference[~np.isnan(reference)], live[~np.isnan(live)]).pvalue)
    codes = np.unique(np.r_[reference, live])
    table = np.array([[(values == code).sum() for code in codes] for values in (reference, live)])
    return float(chi2_contingency(table)[1])


def _edges(values: Any, is_number: bool) -> Any:
    present = values[~np.isnan(values)]
    return np.unique(np.quantile(present, np.arange(1, 10) / 10)) if is_number else np.unique(present)[:-1] + 0.5


def _shares(values: Any, edges: Any) -> Any:
    counts = np.bincount(np.searchsorted(edges, values[~np.isnan(values)]), minlength=len(edges) + 1)
    return np.maximum(counts / counts.sum(), 1e-4)


def _psi(known: Any, live: Any) -> float:
    return float(((live - known) * np.log(live / known)).sum())


print_results(
    measure("KS and chi-square, Bonferroni over features and windows", "scipy", tests),
    measure("PSI > 0.1", "numpy", psi(0.1)),
    measure("PSI > 0.2", "numpy", psi(0.2)),
)
