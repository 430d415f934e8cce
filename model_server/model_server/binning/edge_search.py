"""Which edges each of many numbers lies between, of several features at once: a table of cells takes the place of most of the search.

A number's cell is the upper half of its distance from the feature's center as a 32-bit float, so that cells are fine near the center and
coarse far out. Numbers in order have cells in order; so a cell that no edge cuts lies in one slot, and only numbers in the others are
compared with edges. Slots are those of a search to the bit. Not here: what the slots of a feature are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SHIFT = 16  # bits of a 32-bit float below its upper half
_CELLS = 1 << 16
_NOT_A_NUMBER = 0x7FC0  # the first cell of NaN, whose sign may be set; infinity's is below
_MOST_CELLS = 1 << 22  # of all features together, which are 8 MB: with more than 64 features their cells are wider
_MOST_DROPPED = 5  # bits: infinity and NaN must keep cells of their own


@dataclass(frozen=True)
class Line:
    """A feature: its edges, ascending, and its first slot among those of all features.

    A number's slot is the first whose edge is not below it; missing values have the last one.
    """

    center: float
    edges: Floats
    start: int


class EdgeSearch:
    """Finds the slots of several features' numbers, among the ``slots`` of all features."""

    def __init__(self, lines: Sequence[Line], slots: int) -> None:
        self._slots = slots
        self._dropped = min(_MOST_DROPPED, max(0, math.ceil(math.log2(max(1, len(lines) * _CELLS / _MOST_CELLS)))))
        cells = _CELLS >> self._dropped
        self._centers = np.array([line.center for line in lines], np.float64).reshape(-1, 1)
        self._offsets = cells * np.arange(len(lines), dtype=np.uint32)[:, None]
        self._cut: list[tuple[int, Floats]] = []  # cells that edges cut: the slot of their lowest numbers, and these edges
        most = slots + sum(len(line.edges) for line in lines)  # no cell is cut by less than one edge
        self._table_of_all = np.empty(cells * len(lines), np.min_scalar_type(most))
        for place, line in enumerate(lines):  # one by one: as 64-bit numbers, all of them are what a sidecar may hold altogether
            self._table_of_all[place * cells : (place + 1) * cells] = self._table(line, np.arange(cells))
        self._lowest = np.array([slot for slot, _ in self._cut], np.int64)
        self._cuts = _columns([edges for _, edges in self._cut])

    def find(self, numbers: Floats) -> Integers:
        """Return the slot of each number, NaN being missing: features x rows."""
        cells = _cells(numbers, self._centers, self._dropped)
        cells += self._offsets
        slots = self._table_of_all.take(cells).astype(np.int64)
        if self._cut:
            self._compare(numbers.ravel(), slots.ravel())
        return slots

    def _compare(self, numbers: Floats, slots: Integers) -> None:
        """Put a slot in the place of each cut cell."""
        cut = np.flatnonzero(slots >= self._slots)
        which, values = slots[cut] - self._slots, numbers[cut]
        found = self._lowest[which]
        for edge in self._cuts:
            found += edge[which] < values
        slots[cut] = found

    def _table(self, line: Line, cells: Integers) -> Integers:
        """Return what each cell is: a slot, or beyond all slots the place of a cut cell."""
        of_edges = _order(_cells(line.edges, line.center, self._dropped), self._dropped)
        with np.errstate(over="ignore"):
            above = np.nextafter(line.edges, np.inf)
        inside = of_edges == _order(_cells(above, line.center, self._dropped), self._dropped)  # else the edge is its cell's last number
        order = _order(cells, self._dropped)
        table = line.start + np.searchsorted(of_edges, order, side="left")
        for cell in np.unique(of_edges[inside]):
            table[order == cell] = self._slots + len(self._cut)
            lowest = line.start + int(np.searchsorted(of_edges, cell, side="left"))
            self._cut.append((lowest, line.edges[inside & (of_edges == cell)]))
        table[(cells << self._dropped) & 0x7FFF >= _NOT_A_NUMBER] = line.start + len(line.edges) + 1
        return table


def cell_ends(numbers: Floats, center: float) -> Floats:
    """Return the last number in the cell of each number: an edge that lies there cuts no cell.

    >>> cell_ends(np.array([0.3, 6.0]), 5.0).round(3)
    array([0.313, 6.008])
    """
    return _ends(_order(_cells(numbers, center)), center)


def end_below(number: float, center: float) -> float:
    """Return the last number of the cell below that of a number.

    >>> 5.999 < end_below(6.0, 5.0) < 6.0
    True
    """
    return float(_ends(_order(_cells(np.array([number]), center)) - 1, center)[0])


def _cells(numbers: Floats, centers: Floats | float, dropped: int = 0) -> NDArray[np.uint32]:
    with np.errstate(over="ignore"):
        bits: NDArray[np.uint32] = (numbers - centers).astype(np.float32).view(np.uint32)
    bits >>= _SHIFT + dropped
    return bits


def _order(cells: NDArray[Any], dropped: int = 0) -> Integers:
    """Return whole numbers in the order of the cells' numbers: the cells of negative ones run backwards, and both zeros are in one."""
    sign = 0x8000 >> dropped
    signed = cells.astype(np.int64)
    return np.where(signed & sign, sign - signed, signed)


def _ends(order: Integers, center: float) -> Floats:
    """Return the last finite number whose cell is not beyond each, by bisection of all numbers."""
    lowest, highest = _bits(np.array([-np.inf, np.inf]))
    low, high = np.full(len(order), lowest), np.full(len(order), highest)
    while (low < high).any():
        middle = (low | high) - ((low ^ high) >> 1)  # half way, rounded up; their sum might overflow
        fits = _order(_cells(_of_bits(middle), center)) <= order
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    most = np.finfo(np.float64).max
    return np.clip(_of_bits(low), -most, most)  # an edge is a number


def _bits(numbers: Floats) -> Integers:
    """Return whole numbers in the order of 64-bit floats."""
    bits = numbers.view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits - 1, bits)


def _of_bits(bits: Integers) -> Floats:
    """Undo ``_bits``, which is its own reverse."""
    return np.where(bits < 0, np.iinfo(np.int64).min - bits - 1, bits).view(np.float64)


def _columns(lines: Sequence[Floats]) -> list[Floats]:
    """Return the first of each line, the second of each, and so on; a line that has no more goes on with infinity, which cuts nothing."""
    longest = max(map(len, lines), default=0)
    return [np.array([line[place] if place < len(line) else np.inf for line in lines]) for place in range(longest)]
