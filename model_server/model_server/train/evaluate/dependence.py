"""Design effects: how many times larger dependence between rows makes the variance of a mean than independent rows would.

Rows must be in time order. Pure. Not here: what is divided by them.
"""

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Floats = NDArray[np.float64]

BLOCK = 25
"""Rows of the smallest block; the others are twice, four times, ... as large."""

_FEWEST_BLOCKS = 8
_FEWEST_LIKELY_BLOCKS = 16  # of which a variance can be estimated, where no caution makes up for it
_SIGNIFICANT = 0.99999  # features, slots and pairs are many, and an effect found where there is none costs power for good
_CAUTIOUS = 0.1
_CONSTANT = 1e-12  # below which a variance is the rounding of a constant


def design_effects(values: Floats) -> Floats:
    """Return a cautious design effect of the mean of each column (rows x columns), at least 1.

    Where the means of blocks vary more than independent rows would make them, by a test at one in 100,000, the effect is the upper 90%
    bound of the ratio, the largest over the block sizes; else it is 1.

    >>> design_effects(np.repeat(np.tile([0.0, 1.0], 20), 50)[:, None]) > 10
    array([ True])
    """
    return effects_of_blocks(block_sums(values), values.var(axis=0))


def block_sums(values: Floats) -> Floats:
    """Return the sums of each column over blocks of ``BLOCK`` rows: blocks x columns; rows that fill no block are left out."""
    blocks = len(values) // BLOCK
    sums: Floats = values[: blocks * BLOCK].reshape(blocks, BLOCK, values.shape[1]).sum(axis=1)
    return sums


def effects_of_blocks(sums: Floats, variances: Floats) -> Floats:
    """Return the same from the sums over blocks of ``BLOCK`` rows (blocks x columns) and the variance of one row, by column."""
    effects = np.ones(sums.shape[1])
    for freedom, ratio in _ratios(sums, variances, _FEWEST_BLOCKS):
        dependent = ratio > _chi_squared(_SIGNIFICANT, freedom) / freedom
        effects = np.where(dependent, np.maximum(effects, ratio * freedom / _chi_squared(_CAUTIOUS, freedom)), effects)
    return effects


def likely_design_effect(values: Floats) -> float:
    """Return the design effect of a mean as it is estimated, without caution; at least 1.

    >>> likely_design_effect(np.repeat(np.tile([0.0, 1.0], 20), 50)) > 10
    True
    """
    spread = float(values.std())
    if spread == 0.0:
        return 1.0
    column = (values - values.mean())[:, None] / spread  # a loss may be of any size
    return max([1.0, *(float(ratio[0]) for _, ratio in _ratios(block_sums(column), column.var(axis=0), _FEWEST_LIKELY_BLOCKS))])


def _ratios(sums: Floats, variances: Floats, fewest: int) -> Iterator[tuple[int, Floats]]:
    """Yield, for blocks of 25, 50, 100, ... rows, their number less 1, and their sums' variance over that of independent rows."""
    rows = BLOCK
    while len(sums) >= fewest:
        expected = rows * variances
        yield len(sums) - 1, np.divide(sums.var(axis=0, ddof=1), expected, out=np.ones_like(expected), where=variances > _CONSTANT)
        pairs = len(sums) // 2
        sums, rows = sums[: 2 * pairs].reshape(pairs, 2, sums.shape[1]).sum(axis=1), 2 * rows


@cache
def _chi_squared(share: float, freedom: int) -> float:
    """Return a quantile of the chi-squared distribution; the same few are asked for hundreds of times, and scipy.stats is slow at it."""
    return float(2 * gammaincinv(freedom / 2, share))


def rounded_up(effect: float) -> float:
    """Return a design effect in hundredths."""
    return math.ceil(100 * effect) / 100
