"""Which categories of a feature have a slot of their own, and which training rows say how frequent they are.

The most frequent ones of some rows are there more often by chance than they will be in other rows. So where there are more categories than
slots, rows that choose them are not counted. Pure. Not here: counting, and the slots of numbers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .bundle import MOST_CATEGORIES

_STRETCHES = 16  # of the rows, which choose and count in turn: both know the whole time, and neighbours, which are alike, do the same


@dataclass(frozen=True)
class CategorySlots:
    """The categories that have a slot, most frequent first, and the stretches of the rows that are to be counted."""

    categories: list[str]
    counted: list[slice]


def category_slots(values: Sequence[str | None]) -> CategorySlots:
    """Return the slots for these values, which are in time order; None is a missing one.

    >>> category_slots(["b", "a", None, "b"])
    CategorySlots(categories=['b', 'a'], counted=[slice(0, 4, None)])
    """
    counts = Counter(values)
    counts.pop(None, None)
    if len(counts) <= MOST_CATEGORIES:
        return CategorySlots(_ranked(counts), [slice(0, len(values))])
    bounds = [len(values) * part // _STRETCHES for part in range(_STRETCHES + 1)]
    stretches = [slice(start, end) for start, end in pairwise(bounds)]
    chosen = Counter[str | None]()
    for stretch in stretches[::2]:
        chosen.update(values[stretch])
    chosen.pop(None, None)
    return CategorySlots(_ranked(chosen)[:MOST_CATEGORIES], stretches[1::2])


def _ranked(counts: Counter[str | None]) -> list[str]:
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if name is not None]
