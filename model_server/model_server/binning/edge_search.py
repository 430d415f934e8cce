"""Find between which bin edges each of many numbers lies, for several features at once: a lookup table replaces most of the search.

A number's bucket is the upper half of its distance from the feature's center as a 32-bit float, so that buckets are narrow near the center
and wide far out. Numbers in order have buckets in order; so a bucket that no edge splits lies in one slot, and only numbers in the others
are compared with edges. The result is that of ``numpy.searchsorted``, to the bit. Not here: what the slots of a feature are.
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
_BUCKETS = 1 << 16
_NOT_A_NUMBER = 0x7FC0  # the first bucket of NaN, whose sign may be set; infinity's is below
_MOST_BUCKETS = 1 << 22  # of all features together, which are 8 MB: with more than 64 features their buckets are wider
_MOST_DROPPED = 5  # bits: infinity and NaN must have buckets of their own


@dataclass(frozen=True)
class FeatureBins:
    """The bins of one numeric feature: their edges, ascending, and the first bin's slot among those of all features.

    A number's slot is the first whose edge is not below it; the feature's last slot is for missing values.
    """

    center: float
    edges: Floats
    start: int


class EdgeSearch:
    """Finds the slots of several features' numbers, among the ``slots`` of all features."""

    def __init__(self, features: Sequence[FeatureBins], slots: int) -> None:
        self._slots = slots
        self._dropped = min(_MOST_DROPPED, max(0, math.ceil(math.log2(max(1, len(features) * _BUCKETS / _MOST_BUCKETS)))))
        buckets = _BUCKETS >> self._dropped
        self._centers = np.array([feature.center for feature in features], np.float64).reshape(-1, 1)
        self._offsets = buckets * np.arange(len(features), dtype=np.uint32)[:, None]
        self._split: list[tuple[int, Floats]] = []  # buckets that edges split: the slot of their lowest numbers, and these edges
        most = slots + sum(len(feature.edges) for feature in features)  # no bucket is split by less than one edge
        self._table = np.empty(buckets * len(features), np.min_scalar_type(most))
        for index, feature in enumerate(features):  # one by one: as 64-bit numbers, all of them are what a sidecar may hold altogether
            self._table[index * buckets : (index + 1) * buckets] = self._feature_table(feature, np.arange(buckets))
        self._lowest = np.array([slot for slot, _ in self._split], np.int64)
        self._splitting_edges = _columns([edges for _, edges in self._split])

    def searchsorted(self, numbers: Floats) -> Integers:
        """Return the slot of each number, NaN being missing: features x rows."""
        buckets = _buckets(numbers, self._centers, self._dropped)
        buckets += self._offsets
        slots = self._table.take(buckets).astype(np.int64)
        if self._split:
            self._compare(numbers.ravel(), slots.ravel())
        return slots

    def _compare(self, numbers: Floats, slots: Integers) -> None:
        """Replace each split bucket by the slot of its number."""
        rows = np.flatnonzero(slots >= self._slots)
        bucket, values = slots[rows] - self._slots, numbers[rows]
        found = self._lowest[bucket]
        for edge in self._splitting_edges:
            found += edge[bucket] < values
        slots[rows] = found

    def _feature_table(self, feature: FeatureBins, buckets: Integers) -> Integers:
        """Return the slot of each bucket; for a split one the number of all slots and the bucket's index in ``_split``."""
        edge_order = _order(_buckets(feature.edges, feature.center, self._dropped), self._dropped)
        with np.errstate(over="ignore"):
            above = np.nextafter(feature.edges, np.inf)
        inside = edge_order == _order(
            _buckets(above, feature.center, self._dropped), self._dropped
        )  # else the edge is its bucket's last number
        order = _order(buckets, self._dropped)
        table = feature.start + np.searchsorted(edge_order, order, side="left")
        for bucket in np.unique(edge_order[inside]):
            table[order == bucket] = self._slots + len(self._split)
            lowest = feature.start + int(np.searchsorted(edge_order, bucket, side="left"))
            self._split.append((lowest, feature.edges[inside & (edge_order == bucket)]))
        table[(buckets << self._dropped) & 0x7FFF >= _NOT_A_NUMBER] = feature.start + len(feature.edges) + 1
        return table


def bucket_ends(numbers: Floats, center: float) -> Floats:
    """Return the last number in the bucket of each number: an edge that lies there splits no bucket.

    >>> bucket_ends(np.array([0.3, 6.0]), 5.0).round(3)
    array([0.313, 6.008])
    """
    return _ends(_order(_buckets(numbers, center)), center)


def previous_bucket_end(number: float, center: float) -> float:
    """Return the last number of the bucket below that of a number.

    >>> 5.999 < previous_bucket_end(6.0, 5.0) < 6.0
    True
    """
    return float(_ends(_order(_buckets(np.array([number]), center)) - 1, center)[0])


def _buckets(numbers: Floats, centers: Floats | float, dropped: int = 0) -> NDArray[np.uint32]:
    with np.errstate(over="ignore"):
        bits: NDArray[np.uint32] = (numbers - centers).astype(np.float32).view(np.uint32)
    bits >>= _SHIFT + dropped
    return bits


def _order(buckets: NDArray[Any], dropped: int = 0) -> Integers:
    """Return whole numbers in the order of the buckets' numbers: those of negative ones run backwards, and both zeros are in one."""
    sign = 0x8000 >> dropped
    signed = buckets.astype(np.int64)
    return np.where(signed & sign, sign - signed, signed)


def _ends(order: Integers, center: float) -> Floats:
    """Return the last finite number whose bucket is not beyond each, by bisection of all numbers."""
    lowest, highest = _bits(np.array([-np.inf, np.inf]))
    low, high = np.full(len(order), lowest), np.full(len(order), highest)
    while (low < high).any():
        middle = (low | high) - ((low ^ high) >> 1)  # half way, rounded up; their sum might overflow
        fits = _order(_buckets(_from_bits(middle), center)) <= order
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    most = np.finfo(np.float64).max
    return np.clip(_from_bits(low), -most, most)  # an edge is a number


def _bits(numbers: Floats) -> Integers:
    """Return whole numbers in the order of 64-bit floats."""
    bits = numbers.view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits - 1, bits)


def _from_bits(bits: Integers) -> Floats:
    """Undo ``_bits``, which is its own reverse."""
    return np.where(bits < 0, np.iinfo(np.int64).min - bits - 1, bits).view(np.float64)


def _columns(edges: Sequence[Floats]) -> list[Floats]:
    """Return the first edge of each bucket, the second of each, and so on; infinity, which splits nothing, where a bucket has no more."""
    longest = max(map(len, edges), default=0)
    return [np.array([each[index] if index < len(each) else np.inf for each in edges]) for index in range(longest)]
