"""Folds and holdout in time order: each fit sees the past and is scored on the rows right after it.

Pure. Not here: which rows there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from mlmodel_contract.manifest import Window

LEAST_NEW = 40
"""Rows that no run has seen, or of a changed world, below which they do not judge alone; the newest share of all rows does then."""

_RECENT = 4  # the newest quarter
_LEAST_RECENT = 100


@dataclass(frozen=True)
class Fold:
    """Rows [0, ``start``) to learn from, and [``start``, ``stop``) to score."""

    start: int
    stop: int


@dataclass(frozen=True)
class Holdout:
    """Rows from ``start`` on judge the run's recipes; ``unseen`` where no earlier run has learnt from them."""

    start: int
    unseen: bool


def expanding(rows: int, folds: int) -> Iterator[Fold]:
    """Yield folds that score equal stretches at the end of the rows, oldest first, as scikit-learn's TimeSeriesSplit does.

    >>> [(fold.start, fold.stop) for fold in expanding(10, 3)]
    [(4, 6), (6, 8), (8, 10)]
    """
    size = rows // (folds + 1)
    for fold in range(folds):
        start = rows - (folds - fold) * size
        yield Fold(start, start + size)


def newest_share(rows: int, share: float) -> int:
    """Return where the newest share of the rows starts; where there are two rows or more, none of the two parts is empty."""
    return min(max(1, rows - round(rows * share)), max(1, rows - 1))


def choose_holdout(rows: int, read: int, changed: int | None, share: float) -> Holdout:
    """Return which rows judge the recipes of a run that is not the first.

    Args:
        rows: all rows, in time order.
        read: how many of them earlier runs have read.
        changed: the first row of the changed world; None without a known change.
        share: the newest share that judges where too few rows are new.

    What is new judges. After a change it is the new world alone, however few rows it has: the one before it says nothing any more.

    >>> choose_holdout(1_000, 900, None, 0.2)
    Holdout(start=900, unseen=True)
    >>> choose_holdout(1_000, 990, None, 0.2)
    Holdout(start=800, unseen=False)
    >>> choose_holdout(1_000, 900, 910, 0.2)
    Holdout(start=910, unseen=True)
    """
    if changed is not None and changed >= max(1, read) and rows - changed >= LEAST_NEW:  # else no row is left to learn from
        return Holdout(changed, unseen=True)
    if rows - read >= LEAST_NEW and 2 * read >= rows:
        return Holdout(read, unseen=True)
    start = newest_share(rows, share)
    return Holdout(start, unseen=start >= read)


def shares(rows: int, number: int) -> Iterator[Fold]:
    """Yield equal stretches that are all of the rows together, fewer where there are not so many rows.

    >>> [(fold.start, fold.stop) for fold in shares(10, 3)]
    [(0, 3), (3, 6), (6, 10)]
    """
    ends = [rows * part // number for part in range(number + 1)]
    return (Fold(start, stop) for start, stop in pairwise(ends) if start < stop)


def window_start(window: Window, rows: int, changed: int | None) -> int:
    """Return the first row of a window of the first ``rows`` rows; ``changed`` is the first one after the recipe's change, if it has one.

    >>> window_start(Window.RECENT, 1_000, None)
    750
    """
    if window is Window.RECENT:
        return max(0, rows - max(rows // _RECENT, _LEAST_RECENT))
    if window is Window.SINCE_CHANGE and changed is not None and changed < rows:
        return changed
    return 0
