"""How the numbers of the training rows are correlated, as the operator needs it to notice that live ones are not.

Pure. Not here: the slots and their scores (``profile.py``, the contract's ``scores``).
"""

import math
from collections.abc import Mapping

import numpy as np
from mlmodel_contract.report import MICRO, MOST_SCORED, Correlations
from mlmodel_contract.scores import SCORE_UNIT, alternatives
from numpy.typing import NDArray

from .dependence import design_effects, rounded_up

FEWEST_ROWS = 2_000
"""Training rows below which correlations are not watched: what is known of them is too little to tell chance from change."""

_MOST_ROWS = 20_000  # that the cumulants are computed from, spread over all

Floats = NDArray[np.float64]


def correlations(scores: Mapping[str, NDArray[np.int64]]) -> Correlations | None:
    """Return the correlations of columns of location scores, in time order; None where there are too few rows or columns.

    A column without spread is left out: it has no correlations.
    """
    varied = {name: column for name, column in scores.items() if column.any()}
    names = list(varied)[:MOST_SCORED]
    if len(names) < 2 or len(varied[names[0]]) < FEWEST_ROWS:
        return None
    columns = np.column_stack([varied[name] for name in names]).astype(np.float64)
    first, second = np.triu_indices(len(names), 1)
    rows = len(columns)
    products = (columns.T @ columns)[first, second]
    effects = [design_effects((columns[:, a] * columns[:, b])[:, None])[0] for a, b in zip(first, second, strict=True)]
    sample = columns[:: -(-rows // _MOST_ROWS)] / SCORE_UNIT
    own = design_effects(columns)
    return Correlations(
        names=names,
        rows=rows,
        products=[int(product) for product in products],
        cumulants=[
            _cumulants(sample[:, a], sample[:, b], product / rows / SCORE_UNIT**2)
            for a, b, product in zip(first, second, products, strict=True)
        ],
        effects=[rounded_up(max(effect, min(own[a], own[b]))) for effect, a, b in zip(effects, first, second, strict=True)],
        dense_effect=rounded_up(float(own.max())),
    )


def _cumulants(x: Floats, y: Floats, correlation: float) -> list[int]:
    """Return ln E exp of the centred log likelihood ratio of each alternative, in millionths and rounded up."""
    squares, product = x * x + y * y, x * y
    found = []
    for change in alternatives(correlation):
        ratio = change.own * squares + change.cross * product
        centred = ratio - ratio.mean()
        highest = float(centred.max())
        found.append(math.ceil(MICRO * (highest + math.log(float(np.exp(centred - highest).mean())))))
    return found
