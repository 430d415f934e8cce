"""Whether what a report says of correlations can be believed.

Not here: the rest of the report (``reports.py``).
"""

import math

import numpy as np
from mlmodel_contract.report import FeatureKind, MonitorReportSpec
from mlmodel_contract.scores import CORRELATION_CHANGES, MOST_SCORE, location_scores

from .references import Correlations
from .refusal import Refusal, demand

_MOST_EFFECT = 10**9
_MOST_CUMULANT = 10**12  # millionths of a nat


def read_correlations(report: MonitorReportSpec) -> Correlations | None:
    """Return the correlations that the report's products are held against, None where it has none.

    Raises:
        ReportError: its parts do not fit together, or what it says cannot be.

    """
    known = report.correlations
    if known is None:
        demand(not report.products, Refusal.INCONSISTENT)
        return None
    numbers = {feature.name for feature in report.features if feature.kind is FeatureKind.NUMERIC}
    size = len(known.names)
    pairs = size * (size - 1) // 2
    lists = (known.products, known.cumulants, known.effects, report.products)
    demand(len(set(known.names)) == size and set(known.names) <= numbers and {len(one) for one in lists} == {pairs}, Refusal.INCONSISTENT)
    demand(all(len(pair) == len(CORRELATION_CHANGES) for pair in known.cumulants), Refusal.INCONSISTENT)
    demand(all(0 <= value <= _MOST_CUMULANT for pair in known.cumulants for value in pair), Refusal.ABSURD)
    demand(all(1 <= effect <= _MOST_EFFECT for effect in (*known.effects, known.dense_effect)), Refusal.ABSURD)
    demand(all(abs(product) <= known.rows * MOST_SCORE**2 for product in known.products), Refusal.ABSURD)
    _demand_cauchy_schwarz(report)
    return Correlations.of(known)


def _demand_cauchy_schwarz(report: MonitorReportSpec) -> None:
    """The square of a sum of products is at most the product of the sums of squares, which the rows by slot tell."""
    by_name = {feature.name: feature for feature in report.features}
    names = report.correlations.names if report.correlations else []
    squares = [
        sum(score * score * rows for score, rows in zip(location_scores(by_name[name].reference), by_name[name].live, strict=True))
        for name in names
    ]
    first, second = np.triu_indices(len(names), 1)
    limits = [math.isqrt(squares[a] * squares[b]) for a, b in zip(first, second, strict=True)]
    demand(all(abs(product) <= limit for product, limit in zip(report.products, limits, strict=True)), Refusal.INCONSISTENT)
