"""Whether what a report says of correlations can be believed.

Not here: the rest of the report (``validation.py``).
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from mlmodel_contract.report import FeatureKind, MonitorReportSpec
from mlmodel_contract.slot_scores import CORRELATION_CHANGES, MOST_SCORE, location_scores

from ..references import CorrelationReference
from .refusal import RefusalReason, require

_MOST_EFFECT = 10**9
_MOST_CUMULANT = 10**12  # millionths of a nat


def read_correlations(report: MonitorReportSpec) -> CorrelationReference | None:
    """Return the correlations that the report's products are compared with, None where it has none.

    Raises:
        ReportError: its parts do not fit together, or what it says cannot be.

    """
    known = report.correlations
    if known is None:
        require(not report.products, RefusalReason.INCONSISTENT)
        return None
    numbers = {feature.name for feature in report.features if feature.kind is FeatureKind.NUMERIC}
    size = len(known.names)
    pairs = size * (size - 1) // 2
    lists = (known.products, known.cumulants, known.effects, report.products)
    require(
        len(set(known.names)) == size and set(known.names) <= numbers and {len(one) for one in lists} == {pairs}, RefusalReason.INCONSISTENT
    )
    require(all(len(pair) == len(CORRELATION_CHANGES) for pair in known.cumulants), RefusalReason.INCONSISTENT)
    require(all(0 <= value <= _MOST_CUMULANT for pair in known.cumulants for value in pair), RefusalReason.ABSURD)
    require(all(1 <= effect <= _MOST_EFFECT for effect in (*known.effects, known.dense_effect)), RefusalReason.ABSURD)
    require(all(abs(product) <= known.rows * MOST_SCORE**2 for product in known.products), RefusalReason.ABSURD)
    _require_cauchy_schwarz(report, known.names)
    return CorrelationReference.from_counts(known)


def _require_cauchy_schwarz(report: MonitorReportSpec, names: Sequence[str]) -> None:
    """The square of a sum of products is at most the product of the sums of squares, which the rows by slot give."""
    by_name = {feature.name: feature for feature in report.features}
    squares = [
        sum(square * rows for square, rows in zip(_squares(tuple(by_name[name].reference)), by_name[name].live, strict=True))
        for name in names
    ]
    limits = [math.isqrt(first * second) for first, second in combinations(squares, 2)]
    require(all(abs(product) <= limit for product, limit in zip(report.products, limits, strict=True)), RefusalReason.INCONSISTENT)


@lru_cache(maxsize=4096)
def _squares(reference: tuple[int, ...]) -> list[int]:
    """Return the square of each slot's score; every report of a version has the same slots."""
    return [score * score for score in location_scores(reference)]
