"""What the live rows of a version are held against: its training rows, as the reports of its pods tell them.

Not here: directions of change and evidence.
"""

from dataclasses import dataclass

from mlmodel_contract.report import MICRO, FeatureCounts, FeatureKind
from mlmodel_contract.report import CorrelationCounts as ReportedCorrelations


@dataclass(frozen=True)
class FeatureReference:
    """A feature and its training rows by slot; the last slot is missing values.

    ``effect`` and ``slot_effects`` are design effects: how many times larger dependence between rows makes the variance of a mean. No
    slot effects are ones.
    """

    name: str
    kind: FeatureKind
    counts: tuple[int, ...]
    effect: float = 1.0
    slot_effects: tuple[float, ...] = ()

    @classmethod
    def of(cls, reported: FeatureCounts) -> "FeatureReference":
        """Take it from a report."""
        return cls(reported.name, reported.kind, tuple(reported.reference), reported.effect, tuple(reported.slot_effects))


@dataclass(frozen=True)
class CorrelationReference:
    """The numbers whose correlations are watched, and the sums of products of their location scores over ``rows`` training rows.

    ``products``, ``cumulants`` and ``effects`` are by pair: (0, 1), (0, 2), ..., (1, 2), ...; cumulants by alternative.
    """

    names: tuple[str, ...]
    rows: int
    products: tuple[int, ...]
    cumulants: tuple[tuple[float, ...], ...]
    effects: tuple[float, ...]
    dense_effect: float

    @classmethod
    def of(cls, reported: ReportedCorrelations) -> "CorrelationReference":
        """Take them from a report or a profile."""
        return cls(
            names=tuple(reported.names),
            rows=reported.rows,
            products=tuple(reported.products),
            cumulants=tuple(tuple(value / MICRO for value in pair) for pair in reported.cumulants),
            effects=tuple(reported.effects),
            dense_effect=reported.dense_effect,
        )
