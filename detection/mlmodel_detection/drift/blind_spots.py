"""What could not have been seen yet: the smallest lasting change of each number that the rows so far would have shown.

Dependence between rows, such as a season's, can make calm a matter of blindness. Not here: evidence.
"""

import math
from dataclasses import dataclass

import numpy as np

from .alternatives import LOCATION, SIZES, Alternatives, Floats
from .change_points import START_WEIGHT

_LARGE_EFFECT = 10.0


@dataclass(frozen=True)
class BlindSpot:
    """A number, and the smallest change of its location since the first live row that would be confirmed, in standard deviations."""

    name: str
    size: float


def blind_spots(known: Alternatives, rows: int, level: float, tolerance: float, matters: float) -> tuple[BlindSpot, ...]:
    """Return the numbers with large design effects in which a change that matters could not have been confirmed, the blindest first.

    ``rows`` live rows were counted; evidence is confirmed at ``level``; a change of ``matters`` standard deviations matters.
    """
    if rows == 0:
        return ()
    smooth, sizes = known.smooth, _smallest_changes(known, rows, level, tolerance)
    found = [
        BlindSpot(known.names[feature], float(size))
        for change, feature, effect, size in zip(smooth.changes, smooth.feature, smooth.effect, sizes, strict=True)
        if change == LOCATION and effect >= _LARGE_EFFECT and size > matters
    ]
    return tuple(sorted(found, key=lambda spot: -spot.size))


def _smallest_changes(known: Alternatives, rows: int, level: float, tolerance: float) -> Floats:
    """Return the smallest change in each smooth alternative: that of which the expected evidence is what an alarm needs."""
    smooth = known.smooth
    needed = -math.log(level * START_WEIGHT / len(SIZES)) - smooth.log_prior
    gain = rows / (1 + rows / known.rows[smooth.feature]) / (1 + rows * known.reference_error[smooth.feature]) / smooth.effect
    beyond: Floats = np.sqrt(2 * needed / gain)
    largest = SIZES.max()  # that is tested, and shows still larger changes, too
    return tolerance + np.where(beyond <= largest, beyond, needed / gain / largest + largest / 2)
