"""What the live rows of a version are compared with: its training rows by slot, and how they are correlated.

Not here: what may change (``drift/alternatives.py``).
"""

from dataclasses import dataclass

from mlmodel_contract.report import MICRO, CorrelationCounts, FeatureCounts, FeatureKind


@dataclass(frozen=True)
class FeatureReference:
    """A feature and its training rows by slot; the last slot is missing values.

    Of a category, the slot before the last one has the categories that have none of their own. ``effect`` and ``slot_effects`` are design
    effects: how many times larger dependence between rows makes the variance of a mean. No slot effects are ones. ``reference_error`` is
    the variance of the reference's own error that no live rows average out, over that of one row.
    """

    name: str
    kind: FeatureKind
    counts: tuple[int, ...]
    effect: float = 1.0
    slot_effects: tuple[float, ...] = ()
    reference_error: float = 0.0

    @classmethod
    def from_counts(cls, reported: FeatureCounts) -> "FeatureReference":
        """Return the reference that a pod's report states."""
        return cls(
            reported.name, reported.kind, tuple(reported.reference), reported.effect, tuple(reported.slot_effects), reported.reference_error
        )


@dataclass(frozen=True)
class CorrelationReference:
    """The numbers whose correlations are tested, and the sums of products of their location scores over ``rows`` training rows.

    ``products``, ``cumulants`` and ``effects`` are by pair: (0, 1), (0, 2), ..., (1, 2), ...; cumulants by alternative.
    """

    names: tuple[str, ...]
    rows: int
    products: tuple[int, ...]
    cumulants: tuple[tuple[float, ...], ...]
    effects: tuple[float, ...]
    dense_effect: float

    @classmethod
    def from_counts(cls, reported: CorrelationCounts) -> "CorrelationReference":
        """Return the reference that a report or a profile states."""
        return cls(
            names=tuple(reported.names),
            rows=reported.rows,
            products=tuple(reported.products),
            cumulants=tuple(tuple(value / MICRO for value in pair) for pair in reported.cumulants),
            effects=tuple(reported.effects),
            dense_effect=reported.dense_effect,
        )
