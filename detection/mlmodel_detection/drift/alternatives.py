"""The directions in which a distribution may change, as linear statistics of counts, with what is known of each under the training rows.

Built once from the features' references. Smooth: a number's location and spread, a frequent category's share. Rare: a slot that has few
rows. Paired: the correlation of two numbers. Dense: all locations at once. Not here: evidence of a change (``likelihood.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from mlmodel_contract.report import FeatureKind
from mlmodel_contract.scores import FREQUENT, SCORE_UNIT, alternatives, location_scores, slot_probabilities, spread_scores, standardised
from numpy.typing import NDArray

from .references import CorrelationReference, FeatureReference

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

SIZES = np.array([0.04 * 1.5**step * sign for sign in (1, -1) for step in range(10)])
"""Sizes of a smooth change, in standard deviations of its direction."""

RATIOS = np.log([1.15, 1.4, 2, 4, 12, 40, 1 / 1.15, 1 / 1.4, 1 / 2, 1 / 4])
"""Log ratios by which a rare slot may become more or less frequent."""

LOCATION, SPREAD = "location", "spread"
"""What a number's two smooth directions, which come in this order, are called."""

_LOCATION, _SPREAD, _MISSING, _SLOTS = 0.40, 0.35, 0.10, 0.15  # prior shares of a number's directions
_FREQUENT, _RARE = 0.75, 0.25  # the same of a category's slots
GROUP_SHARES = {"smooth": 0.50, "rare": 0.20, "paired": 0.20, "dense": 0.10}


@dataclass(frozen=True)
class Smooth:
    """Linear directions: weights (cells x directions) of standardised scores, and ln E exp(size * score) for each of ``SIZES``."""

    changes: tuple[str, ...]  # what changes, as it is shown
    feature: Places
    weights: Floats
    cumulants: Floats  # directions x sizes
    log_prior: Floats
    effect: Floats


@dataclass(frozen=True)
class Rare:
    """Indicator directions: the cell of each, and the training rows in it."""

    changes: tuple[str, ...]
    feature: Places
    cell: Places
    reference: Floats
    spread: Floats  # standard deviation of the indicator
    log_prior: Floats
    effect: Floats


@dataclass(frozen=True)
class Paired:
    """Correlations: the two features' places among the numbers, and the log likelihood ratios of the correlations that each may change to.

    The ratio of alternative t is ``own[p, t] * (z1^2 + z2^2) + cross[p, t] * z1 z2``; its cumulant is that of the centred ratio.
    """

    first: Places  # among the features with scores
    second: Places
    products: Floats  # sums over the training rows, in squared standard deviations
    own: Floats  # pairs x alternatives
    cross: Floats
    cumulants: Floats
    spread: Floats  # standard deviation of the ratio
    log_prior: float
    effect: Floats


@dataclass(frozen=True)
class Dense:
    """All location scores at once: the inverse of their correlation matrix."""

    precision: Floats
    effect: float
    log_prior: float = 0.0


@dataclass(frozen=True)
class Alternatives:
    """All directions of a version's features."""

    names: tuple[str, ...]
    rows: Floats  # training rows, by feature
    counts: Floats  # training rows, by cell
    smooth: Smooth
    rare: Rare
    scored: Places  # the features with location scores that correlations are kept of
    location: Places  # their location among the smooth directions
    squares: Floats  # cells x features with scores: the squares of the scores, in standard deviations
    paired: Paired | None
    dense: Dense | None


@lru_cache(maxsize=256)
def directions_of(features: tuple[FeatureReference, ...], correlations: CorrelationReference | None) -> Alternatives:
    """Return the directions of these features, the same object for the same features."""
    starts = np.cumsum([0, *(len(feature.counts) for feature in features)])
    smooth, rare = _smooth(features, starts), _rare(features, starts)
    places = {feature.name: place for place, feature in enumerate(features)}
    scored = np.array([places[name] for name in correlations.names], np.intp) if correlations else np.empty(0, np.intp)
    location = [int(np.flatnonzero(smooth.feature == place)[0]) for place in scored]  # a number's first direction
    squares = np.zeros((starts[-1], len(scored)))
    for column, place in enumerate(scored):
        squares[starts[place] : starts[place + 1], column] = np.square(np.array(location_scores(features[place].counts)) / SCORE_UNIT)
    paired, dense = (_paired(correlations), _dense(correlations)) if correlations else (None, None)
    return _weighted(
        Alternatives(
            names=tuple(feature.name for feature in features),
            rows=np.array([sum(feature.counts) for feature in features], np.float64),
            counts=np.concatenate([feature.counts for feature in features]).astype(np.float64),
            smooth=smooth,
            rare=rare,
            scored=scored,
            location=np.array(location, np.intp),
            squares=squares,
            paired=paired,
            dense=dense,
        )
    )


def _smooth(features: Sequence[FeatureReference], starts: NDArray[np.int64]) -> Smooth:
    changes, owners, columns, shares = [], [], [], []
    for place, feature in enumerate(features):
        for what, scores, share in _smooth_scores(feature):
            column = np.zeros(starts[-1])
            column[starts[place] : starts[place + 1]] = scores
            changes.append(what)
            owners.append(place)
            columns.append(column)
            shares.append(share)
    owner = np.array(owners, np.intp)
    weights = np.array(columns).T if columns else np.zeros((starts[-1], 0))
    probability = np.concatenate([slot_probabilities(feature.counts) for feature in features])
    cumulants = np.log(np.exp(np.minimum(SIZES[:, None, None] * weights, 60)).transpose(2, 0, 1) @ probability - (len(features) - 1))
    return Smooth(
        changes=tuple(changes),
        feature=owner,
        weights=weights,
        cumulants=cumulants,
        log_prior=np.log(np.array(shares) / len(features)),
        effect=np.array([features[place].effect for place in owners]),
    )


def _smooth_scores(feature: FeatureReference) -> list[tuple[str, Sequence[float], float]]:
    """Return the smooth directions of a feature: a name, the standardised score of each slot, and the share of the feature's prior."""
    probabilities = slot_probabilities(feature.counts)
    rows = sum(feature.counts)
    if feature.kind is FeatureKind.NUMERIC:
        if max(feature.counts) >= rows - 2:
            return []  # a constant has no location to change: its rare slots tell
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


def _rare(features: Sequence[FeatureReference], starts: NDArray[np.int64]) -> Rare:
    changes, owners, cells, shares, effects = [], [], [], [], []
    for place, feature in enumerate(features):
        probabilities = slot_probabilities(feature.counts)
        numeric, last = feature.kind is FeatureKind.NUMERIC, len(probabilities) - 1
        rare = [slot for slot, probability in enumerate(probabilities) if numeric or probability <= FREQUENT]
        for slot in rare:
            prior = _RARE / len(rare) if not numeric else _MISSING if slot == last else _SLOTS / last
            changes.append(_share_of(feature, slot))
            owners.append(place)
            cells.append(starts[place] + slot)
            shares.append(prior)
            effects.append(max(feature.effect, feature.slot_effects[slot] if feature.slot_effects else 1.0))
    share = np.concatenate([slot_probabilities(feature.counts) for feature in features])[cells]
    return Rare(
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


def _paired(known: CorrelationReference) -> Paired:
    first, second = np.triu_indices(len(known.names), 1)
    changes = [alternatives(product / known.rows / SCORE_UNIT**2) for product in known.products]
    gaussian = np.array([[change.cumulant for change in pair] for pair in changes])
    return Paired(
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


def _dense(known: CorrelationReference) -> Dense:
    size = len(known.names)
    correlation = np.eye(size)
    correlation[np.triu_indices(size, 1)] = np.array(known.products) / known.rows / SCORE_UNIT**2
    correlation = correlation + np.triu(correlation, 1).T
    # The means are those of a sample; a little more on the diagonal keeps copies of a column from making it singular.
    inflated = correlation * (1 + size / known.rows) + 1e-4 * np.eye(size)
    return Dense(np.asarray(np.linalg.inv(inflated), np.float64), known.dense_effect)


def _weighted(directions: Alternatives) -> Alternatives:
    """Give each group its share of the prior, in proportion where one is empty; priors within a group sum to at most one."""
    present = {
        "smooth": len(directions.smooth.changes) > 0,
        "rare": len(directions.rare.cell) > 0,
        "paired": directions.paired is not None,
        "dense": directions.dense is not None,
    }
    total = sum(share for group, share in GROUP_SHARES.items() if present[group])
    shares = {group: math.log(share / total) for group, share in GROUP_SHARES.items()}
    smooth, rare, paired, dense = directions.smooth, directions.rare, directions.paired, directions.dense
    return replace(
        directions,
        smooth=replace(smooth, log_prior=_summing_to_one(smooth.log_prior) + shares["smooth"]),
        rare=replace(rare, log_prior=_summing_to_one(rare.log_prior) + shares["rare"]),
        paired=replace(paired, log_prior=paired.log_prior + shares["paired"]) if paired else None,
        dense=replace(dense, log_prior=shares["dense"]) if dense else None,
    )


def _summing_to_one(log_weights: Floats) -> Floats:
    return log_weights - np.log(np.exp(log_weights).sum()) if len(log_weights) else log_weights
