"""How the numbers of the training rows are correlated, as the operator needs it to notice that live ones are not.

Pure. Not here: the slots and their scores (``profile.py``, the contract's ``slot_scores``).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from mlmodel_contract.report import MICRO, MOST_SCORED, CorrelationCounts
from mlmodel_contract.slot_scores import SCORE_UNIT, correlation_alternatives
from numpy.typing import NDArray

from .dependence import block_sums, design_effects, effects_of_blocks, rounded_up

FEWEST_ROWS = 2_000
"""Training rows below which correlations are not watched: what is known of them is too little to tell chance from change."""

_MOST_ROWS = 20_000  # that the cumulants are computed from, spread over all
_MOST_OF_ONE = 0.5  # of the rows may have the same value

Floats = NDArray[np.float64]


def correlations(scores: Mapping[str, NDArray[np.int64]]) -> CorrelationCounts | None:
    """Return the correlations of columns of location scores, in time order; None where there are too few rows or columns.

    A column that is mostly one value is left out: its few other values make its correlations a matter of chance.
    """
    varied = {name: column for name, column in scores.items() if _varies(column)}
    names = list(varied)[:MOST_SCORED]
    if len(names) < 2 or len(varied[names[0]]) < FEWEST_ROWS:
        return None
    columns = np.column_stack([varied[name] for name in names]).astype(np.float64) / SCORE_UNIT
    own = design_effects(columns)
    pairs = [_pair(columns, own, first, second) for first, second in combinations(range(len(names)), 2)]
    return CorrelationCounts(
        names=names,
        rows=len(columns),
        products=[pair.product for pair in pairs],
        cumulants=[pair.cumulants for pair in pairs],
        effects=[pair.effect for pair in pairs],
        dense_effect=rounded_up(float(own.max())),
    )


@dataclass(frozen=True)
class _Pair:
    product: int
    cumulants: list[int]
    effect: float


def _varies(column: NDArray[np.int64]) -> bool:
    return len(column) > 0 and int(np.unique(column, return_counts=True)[1].max()) <= _MOST_OF_ONE * len(column)


def _pair(columns: Floats, own: Floats, first: int, second: int) -> _Pair:
    """Return the sum of products, and for the alternatives to the correlation the cumulants and the largest design effect."""
    x, y = columns[:, first], columns[:, second]
    parts = np.column_stack([x * x + y * y, x * y])
    changes = correlation_alternatives(float(parts[:, 1].mean()))
    weights = np.array([[change.own, change.cross] for change in changes]).T
    sample = parts[:: -(-len(parts) // _MOST_ROWS)]
    blocks = block_sums(parts) @ weights
    variances = np.einsum("ia,ij,ja->a", weights, np.cov(parts.T, bias=True), weights)
    effect = max(float(effects_of_blocks(blocks, variances).max()), float(min(own[first], own[second])))
    return _Pair(round(float(parts[:, 1].sum()) * SCORE_UNIT**2), _cumulants(sample @ weights), rounded_up(effect))


def _cumulants(ratios: Floats) -> list[int]:
    """Return ln E exp of each centred log likelihood ratio (rows x alternatives), in millionths and rounded up."""
    centred = ratios - ratios.mean(axis=0)
    highest = centred.max(axis=0)
    return [math.ceil(MICRO * float(value)) for value in highest + np.log(np.exp(centred - highest).mean(axis=0))]
