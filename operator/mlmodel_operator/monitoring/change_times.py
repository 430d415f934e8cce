"""When a change may have begun: the candidates that are kept, and the prior weight of each.

Time is counted in buckets. A change before the first bucket has a fifth of the weight. The rest goes to scales k = 0, 1, ...: scale k has
the buckets that are multiples of 2^k, and forgets them after 12 * 2^k further buckets. So recent candidates are dense, old ones sparse,
some forty in all, and the weights of all that ever were sum to at most one. Not here: evidence.
"""

import math

START_WEIGHT = 0.2
"""Prior weight of a change before the first bucket: a version that drifted from its training rows before it was live."""

MOST_CANDIDATES = 150
"""More candidates than are ever kept."""

_SCALE_RATIO = 0.75
_AGES = 12  # of its own unit, after which a scale forgets a candidate
_NORMALISER = 1.5145  # more than the sum over i of 1 / (i ln(i + 1.72)^2 + 1/1.5145), so that a scale's weights sum to less than one


def log_weight(start: int, now: int) -> float:
    """Return the log of the prior weight that a change after ``start`` buckets still has after ``now`` of them; -inf once forgotten.

    >>> math.exp(log_weight(0, 10**6))
    0.2
    >>> log_weight(1, 12) > log_weight(1, 13) == -math.inf
    True
    """
    if start == 0:
        return math.log(START_WEIGHT)
    weight, unit, share = 0.0, 1, 1 - _SCALE_RATIO
    while start % unit == 0:
        if now - start <= _AGES * unit:
            order = start // unit
            weight += share / (_NORMALISER * (order * math.log(order + 1.72) ** 2 + 1))
        unit, share = 2 * unit, share * _SCALE_RATIO
    return math.log((1 - START_WEIGHT) * weight) if weight > 0 else -math.inf
