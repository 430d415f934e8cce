"""Folds in time order: each trains on the past and scores the rows right after it.

Not here: the holdout, which no fold ever sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Fold:
    """Rows [0, ``start``) to learn from, and [``start``, ``stop``) to score."""

    start: int
    stop: int


def expanding(rows: int, folds: int) -> Iterator[Fold]:
    """Yield folds that score equal stretches at the end of the rows, oldest first, as scikit-learn's TimeSeriesSplit does.

    >>> [(fold.start, fold.stop) for fold in expanding(10, 3)]
    [(4, 6), (6, 8), (8, 10)]
    """
    size = rows // (folds + 1)
    for fold in range(folds):
        start = rows - (folds - fold) * size
        yield Fold(start, start + size)
