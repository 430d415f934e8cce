"""Candidate change points: which ones are retained, and the prior weight of each.

Time is counted in buckets. A change before the first bucket has a fifth of the weight. The rest goes to scales k = 0 to 9: scale k has
the buckets that are multiples of 2^k, and forgets them after 12 * 2^k further buckets. So recent candidates are dense, old ones sparse,
forty to eighty in all, and the weights of all that ever were sum to at most one. Not here: evidence.
"""

import math

START_WEIGHT = 0.2
"""Prior weight of a change before the first bucket: a version that drifted from its training rows before it was live."""

_SCALE_RATIO = 0.75
_MOST_SCALES = 10  # the oldest candidate but the first is some twelve thousand buckets old
_MOST_NUMBERS = 120_000  # that the candidates of a version may need: very wide models have fewer scales
_AGES = 12  # of its own unit, after which a scale forgets a candidate
_NORMALISER = 1.5145  # more than the sum over i of 1 / (i ln(i + 1.72)^2 + 1/1.5145), so that a scale's weights sum to less than one


def scales_for(size: int) -> int:
    """Return how many scales there are where a candidate needs ``size`` numbers: ten, and fewer only for hundreds of features.

    >>> scales_for(900), scales_for(9_500)
    (10, 1)
    """
    return min(_MOST_SCALES, max(1, (_MOST_NUMBERS // max(size, 1) - 2 * _AGES) // (_AGES // 2)))


def most_candidates(scales: int) -> int:
    """Return how many candidates are retained at most: each scale but the first shares half of its own with a finer one.

    >>> most_candidates(10)
    78
    """
    return 2 + _AGES + (scales - 1) * (_AGES // 2 + 1) + 1


def log_weight(start: int, now: int, scales: int = _MOST_SCALES) -> float:
    """Return the log of the prior weight that a change after ``start`` buckets still has after ``now`` of them; -inf once forgotten.

    >>> math.exp(log_weight(0, 10**6))
    0.2
    >>> log_weight(1, 13) > log_weight(1, 14) == -math.inf
    True
    """
    if start == 0:
        return math.log(START_WEIGHT)
    weight, unit, share = 0.0, 1, 1 - _SCALE_RATIO
    for _ in range(scales):
        if start % unit:
            break
        if now - start <= _AGES * unit:
            order = start // unit
            weight += share / (_NORMALISER * (order * math.log(order + 1.72) ** 2 + 1))
        unit, share = 2 * unit, share * _SCALE_RATIO
    return math.log((1 - START_WEIGHT) * weight) if weight > 0 else -math.inf
