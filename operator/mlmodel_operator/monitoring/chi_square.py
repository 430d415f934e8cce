"""Tail probabilities of the chi-square distribution, in logarithms, so that they never underflow to zero.

Not here: any statistic that is held against the distribution.
"""

import math

_PRECISION = 1e-15
_TINY = 1e-300  # keeps Lentz's recurrence from dividing by zero
_STEPS = 10_000


def log_survival(statistic: float, degrees: int) -> float:
    """Return ``ln P(X >= statistic)`` of a chi-square variable ``X``.

    The probability is the regularised upper incomplete gamma function ``Q(a, x)`` with ``a = degrees / 2`` and ``x = statistic / 2``.
    Below ``a + 1`` it is one minus the power series of ``P(a, x)``, which is not close to one there; above, Legendre's continued fraction
    is evaluated by Lentz's method (Abramowitz and Stegun 6.5.29 and 6.5.31) and its logarithm taken before the factor ``x^a e^-x /
    Gamma(a)`` is applied.

    >>> round(math.exp(log_survival(3.841459, 1)), 6)
    0.05

    Raises:
        ValueError: ``degrees`` is below one, or the statistic is no finite number.

    """
    if degrees < 1 or not math.isfinite(statistic):
        raise ValueError(f"chi-square needs degrees >= 1 and a finite statistic, not {degrees} and {statistic}")
    if statistic <= 0:
        return 0.0
    a, x = degrees / 2, statistic / 2
    log_factor = a * math.log(x) - x - math.lgamma(a)
    if x < a + 1:
        return math.log1p(-math.exp(log_factor + math.log(_series(a, x))))
    return log_factor + math.log(_continued_fraction(a, x))


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for step in range(1, _STEPS):
        term *= x / (a + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _continued_fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c = 1 / _TINY
    d = result = 1 / b
    for step in range(1, _STEPS):
        numerator = step * (a - step)
        b += 2
        d = 1 / (_away_from_zero(b + numerator * d))
        c = _away_from_zero(b + numerator / c)
        result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
