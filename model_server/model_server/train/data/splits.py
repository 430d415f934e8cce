"""Folds and holdout in time order: each fit sees the past and is scored on the rows right after it.

Pure. Not here: which rows there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mlmodel_contract.manifest import Window

LEAST_NEW = 50
"""Rows that no run has seen, below which the newest share of the seen ones judges a run's recipes."""

_LEAST_CHANGED = 90  # rows of a changed world, of which two thirds are learnt from
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
        changed: the first row of a changed world that no run has learnt from yet; None without a known change.
        share: the newest share that judges where too few rows are new.

    After a change the newest third of the new world judges, so that every recipe has learnt from the other two. Else what is new does.

    >>> choose_holdout(1_000, 900, None, 0.2)
    Holdout(start=900, unseen=True)
    >>> choose_holdout(1_000, 990, None, 0.2)
    Holdout(start=800, unseen=False)
    >>> choose_holdout(1_000, 900, 910, 0.2)
    Holdout(start=970, unseen=True)
    """
    if changed is not None and changed >= read and rows - changed >= _LEAST_CHANGED:
        return Holdout(rows - (rows - changed) // 3, unseen=True)
    if rows - read >= LEAST_NEW and 2 * read >= rows:
        return Holdout(read, unseen=True)
    start = newest_share(rows, share)
    return Holdout(start, unseen=start >= read)


def window_start(window: Window, rows: int, changed: int | None) -> int:
    """Return the first row of a window of the first ``rows`` rows; ``changed`` is the first row of the changed world, where one is known.

    >>> window_start(Window.RECENT, 1_000, None)
    750
    """
    if window is Window.RECENT:
        return max(0, rows - max(rows // _RECENT, _LEAST_RECENT))
    if window is Window.SINCE_CHANGE and changed is not None and changed < rows:
        return changed
    return 0
