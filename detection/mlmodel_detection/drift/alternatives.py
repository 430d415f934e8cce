"""The alternatives to "nothing changed": how a distribution may change, as statistics of counts, with what training rows say of each.

Built once from the features' references. Smooth: a number's location and spread, a frequent category's share. Rare: the share of a slot
with few rows. Paired: the correlation of two numbers. Dense: all locations at once. Not here: evidence of a change (``likelihood.py``,
``gamma_poisson.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from mlmodel_contract.report import FeatureKind
from mlmodel_contract.slot_scores import (
    FREQUENT,
    SCORE_UNIT,
    correlation_alternatives,
    location_scores,
    slot_probabilities,
    spread_scores,
    standardised,
)
from numpy.typing import NDArray

from ..references import CorrelationReference, FeatureReference

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

SIZES = np.array([0.04 * 1.5**step * sign for sign in (1, -1) for step in range(10)])
"""Sizes of a smooth change, in standard deviations of its score."""

LOCATION, SPREAD = "location", "spread"
"""What a number's two smooth alternatives, which come in this order, are called."""

_LOCATION, _SPREAD, _MISSING, _SLOTS = 0.40, 0.35, 0.10, 0.15  # prior shares of a number's alternatives
_FREQUENT, _RARE = 0.75, 0.25  # the same of a category's slots
GROUP_SHARES = {"smooth": 0.50, "rare": 0.20, "paired": 0.20, "dense": 0.10}


@dataclass(frozen=True)
class SmoothAlternatives:
    """Changes of a mean score: weights (cells x alternatives) of standardised scores, and ln E exp(size * score) for each of ``SIZES``."""

    changes: tuple[str, ...]  # what changes, as it is shown
    feature: Indices
    weights: Floats
    cumulants: Floats  # alternatives x sizes
    log_prior: Floats
    effect: Floats


@dataclass(frozen=True)
class RareAlternatives:
    """Changes of a slot's share: the cell of each, and the training rows in it."""

    changes: tuple[str, ...]
    feature: Indices
    cell: Indices
    reference: Floats
    spread: Floats  # standard deviation of the indicator
    log_prior: Floats
    effect: Floats


@dataclass(frozen=True)
class PairedAlternatives:
    """Changes of a correlation: the two features' indices among the numbers, and the log likelihood ratio of each alternative to it.

    The ratio of alternative t is ``own[p, t] * (z1^2 + z2^2) + cross[p, t] * z1 z2``; its cumulant is that of the centred ratio.
    """

    first: Indices  # among the features with scores
    second: Indices
    products: Floats  # sums over the training rows, in squared standard deviations
    own: Floats  # pairs x alternatives
    cross: Floats
    cumulants: Floats
    spread: Floats  # standard deviation of the ratio
    log_prior: float
    effect: Floats


@dataclass(frozen=True)
class DenseAlternative:
    """All location scores at once: the inverse of their correlation matrix."""

    precision: Floats
    effect: float
    log_prior: float = 0.0


@dataclass(frozen=True)
class Alternatives:
    """All alternatives of a version's features."""

    names: tuple[str, ...]
    rows: Floats  # training rows, by feature
    counts: Floats  # training rows, by cell
    reference_error: Floats  # by feature, see FeatureReference
    smooth: SmoothAlternatives
    rare: RareAlternatives
    scored: Indices  # the features with location scores that correlations are tested
    location: Indices  # their location among the smooth alternatives
    squares: Floats  # cells x features with scores: the squares of the scores, in standard deviations
    paired: PairedAlternatives | None
    dense: DenseAlternative | None


@lru_cache(maxsize=256)
def build_alternatives(features: tuple[FeatureReference, ...], correlations: CorrelationReference | None) -> Alternatives:
    """Return the alternatives of these features, the same object for the same features."""
    starts = np.cumsum([0, *(len(feature.counts) for feature in features)])
    smooth, rare = _smooth(features, starts), _rare(features, starts)
    indices = {feature.name: index for index, feature in enumerate(features)}
    scored = np.array([indices[name] for name in correlations.names], np.intp) if correlations else np.empty(0, np.intp)
    location = [int(np.flatnonzero(smooth.feature == index)[0]) for index in scored]  # a number's first alternative
    squares = np.zeros((starts[-1], len(scored)))
    for column, index in enumerate(scored):
        squares[starts[index] : starts[index + 1], column] = np.square(np.array(location_scores(features[index].counts)) / SCORE_UNIT)
    paired, dense = (_paired(correlations), _dense(correlations)) if correlations else (None, None)
    return _weighted(
        Alternatives(
            names=tuple(feature.name for feature in features),
            rows=np.array([sum(feature.counts) for feature in features], np.float64),
            counts=np.concatenate([feature.counts for feature in features]).astype(np.float64),
            reference_error=np.array([feature.reference_error for feature in features]),
            smooth=smooth,
            rare=rare,
            scored=scored,
            location=np.array(location, np.intp),
            squares=squares,
            paired=paired,
            dense=dense,
        )
    )


def _smooth(features: Sequence[FeatureReference], starts: NDArray[np.int64]) -> SmoothAlternatives:
    changes, owners, columns, shares = [], [], [], []
    for index, feature in enumerate(features):
        for what, scores, share in _smooth_scores(feature):
            column = np.zeros(starts[-1])
            column[starts[index] : starts[index + 1]] = scores
            changes.append(what)
            owners.append(index)
            columns.append(column)
            shares.append(share)
    owner = np.array(owners, np.intp)
    weights = np.array(columns).T if columns else np.zeros((starts[-1], 0))
    probability = np.concatenate([slot_probabilities(feature.counts) for feature in features])
    cumulants = np.log(np.exp(np.minimum(SIZES[:, None, None] * weights, 60)).transpose(2, 0, 1) @ probability - (len(features) - 1))
    return SmoothAlternatives(
        changes=tuple(changes),
        feature=owner,
        weights=weights,
        cumulants=cumulants,
        log_prior=np.log(np.array(shares) / len(features)),
        effect=np.array([features[index].effect for index in owners]),
    )


def _smooth_scores(feature: FeatureReference) -> list[tuple[str, Sequence[float], float]]:
    """Return the smooth alternatives of a feature: a name, the standardised score of each slot, and the share of the feature's prior."""
    probabilities = slot_probabilities(feature.counts)
    rows = sum(feature.counts)
    if feature.kind is FeatureKind.NUMERIC:
        if max(feature.counts) >= rows - 2:
            return []  # a constant has no location to change: its rare slots show a change
        location = [score / SCORE_UNIT for score in location_scores(feature.counts)]
        return [
            (LOCATION, standardised(location, probabilities), _LOCATION),
            (SPREAD, spread_scores(feature.counts), _SPREAD),
        ]
    frequent = _frequent(feature)
    indicators = [[float(other == slot) for other in range(len(probabilities))] for slot in frequent]
    return [
        (_share_of(feature, slot), standardised(indicator, probabilities), _FREQUENT / len(frequent))
        for slot, indicator in zip(frequent, indicators, strict=True)
    ]


def _frequent(feature: FeatureReference) -> list[int]:
    """Return the frequent slots of a category; of two that are all there is, the rarer one says everything."""
    probabilities = slot_probabilities(feature.counts)
    frequent = [slot for slot, probability in enumerate(probabilities) if probability > FREQUENT]
    return [min(frequent, key=probabilities.__getitem__)] if len(frequent) == 2 else frequent


def _rare(features: Sequence[FeatureReference], starts: NDArray[np.int64]) -> RareAlternatives:
    changes, owners, cells, shares, effects = [], [], [], [], []
    for index, feature in enumerate(features):
        probabilities = slot_probabilities(feature.counts)
        numeric, last = feature.kind is FeatureKind.NUMERIC, len(probabilities) - 1
        rare = [slot for slot, probability in enumerate(probabilities) if numeric or probability <= FREQUENT]
        for slot in rare:
            prior = _RARE / len(rare) if not numeric else _MISSING if slot == last else _SLOTS / last
            changes.append(_share_of(feature, slot))
            owners.append(index)
            cells.append(starts[index] + slot)
            shares.append(prior)
            effects.append(max(feature.effect, feature.slot_effects[slot] if feature.slot_effects else 1.0))
    share = np.concatenate([slot_probabilities(feature.counts) for feature in features])[cells]
    return RareAlternatives(
        changes=tuple(changes),
        feature=np.array(owners, np.intp),
        cell=np.array(cells, np.intp),
        reference=np.concatenate([feature.counts for feature in features])[cells].astype(np.float64),
        spread=np.sqrt(share * (1 - share)),
        log_prior=np.log(np.array(shares) / len(features)),
        effect=np.array(effects),
    )


def _share_of(feature: FeatureReference, slot: int) -> str:
    missing = slot == len(feature.counts) - 1
    return "missing values" if missing else f"share of slot {slot + 1} of {len(feature.counts) - 1}"


def _paired(known: CorrelationReference) -> PairedAlternatives:
    first, second = np.triu_indices(len(known.names), 1)
    changes = [correlation_alternatives(product / known.rows / SCORE_UNIT**2) for product in known.products]
    gaussian = np.array([[change.cumulant for change in pair] for pair in changes])
    return PairedAlternatives(
        first=first,
        second=second,
        products=np.array(known.products) / SCORE_UNIT**2,
        own=np.array([[change.own for change in pair] for pair in changes]),
        cross=np.array([[change.cross for change in pair] for pair in changes]),
        cumulants=np.maximum(np.array(known.cumulants), gaussian),  # the empirical one may be too small by chance
        spread=np.array([[change.spread for change in pair] for pair in changes]),
        log_prior=-math.log(len(known.products)),
        effect=np.array(known.effects),
    )


def _dense(known: CorrelationReference) -> DenseAlternative:
    size = len(known.names)
    correlation = np.eye(size)
    correlation[np.triu_indices(size, 1)] = np.array(known.products) / known.rows / SCORE_UNIT**2
    correlation = correlation + np.triu(correlation, 1).T
    # The means are those of a sample; a little more on the diagonal keeps copies of a column from making it singular.
    inflated = correlation * (1 + size / known.rows) + 1e-4 * np.eye(size)
    return DenseAlternative(np.asarray(np.linalg.inv(inflated), np.float64), known.dense_effect)


def _weighted(alternatives: Alternatives) -> Alternatives:
    """Give each group its share of the prior, in proportion where one is empty; priors within a group sum to at most one."""
    present = {
        "smooth": len(alternatives.smooth.changes) > 0,
        "rare": len(alternatives.rare.cell) > 0,
        "paired": alternatives.paired is not None,
        "dense": alternatives.dense is not None,
    }
    total = sum(share for group, share in GROUP_SHARES.items() if present[group])
    shares = {group: math.log(share / total) for group, share in GROUP_SHARES.items()}
    smooth, rare, paired, dense = alternatives.smooth, alternatives.rare, alternatives.paired, alternatives.dense
    return replace(
        alternatives,
        smooth=replace(smooth, log_prior=_summing_to_one(smooth.log_prior) + shares["smooth"]),
        rare=replace(rare, log_prior=_summing_to_one(rare.log_prior) + shares["rare"]),
        paired=replace(paired, log_prior=paired.log_prior + shares["paired"]) if paired else None,
        dense=replace(dense, log_prior=shares["dense"]) if dense else None,
    )


def _summing_to_one(log_weights: Floats) -> Floats:
    return log_weights - np.log(np.exp(log_weights).sum()) if len(log_weights) else log_weights
