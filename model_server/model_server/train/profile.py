"""The profile: the slots that live values are counted in, and how many training rows are in each.

Pure. A boolean is counted as the categories ``false`` and ``true``. Not here: counting live rows, or comparing them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import BIN_QUANTILES, BundleSchema, FeatureProfile, Profile, SchemaColumn
from mlmodel_contract.category_slots import CategorySlots, category_slots
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.report import PREDICTION, FeatureKind, LossReference
from mlmodel_contract.slot_scores import FREQUENT, location_scores, spread_scores
from numpy.typing import NDArray

from ..binning.edge_search import bucket_ends, previous_bucket_end
from ..binning.monitored_prediction import monitored_prediction
from ..binning.slots import FeatureBinner
from .cycles import CycleFitter
from .data.training_rows import TrainingRows
from .evaluate.correlations import correlations
from .evaluate.dependence import BLOCK, design_effects, effects_of_blocks, rounded_up
from .evaluate.losses import Floats

_BOOLEANS = ["false", "true"]
_QUARTILES = (0.25, 0.75)
_WORTHWHILE = 2.0  # times smaller must the variance of a mean be without the cycle
_OTHER_FITS = 0.01  # variances of a row: fits of the same recipe differ by a tenth of a standard deviation
_LASTING = 1 / 6  # of the training rows: live ones of two months beside a year, for which a cycle's error is weighed
_DETERMINED = 0.02  # of a number's width; one that differs less from its cycle is a clock or a calendar, and has no distance from it


@dataclass(frozen=True)
class PredictionOrigin:
    """Where the profile's predictions are from: when their rows were, in seconds since the epoch, and whether other fits made them.

    Predictions out of fold are by other fits than the one that serves, which predicts a little differently.
    """

    times: Floats | None = None
    by_other_fits: bool = False


def profile(
    schema: BundleSchema, train: TrainingRows, predictions: Floats, loss: LossReference, origin: PredictionOrigin | None = None
) -> Profile:
    """Return the profile of the training rows, and of the predictions (rows x classes, or rows x 1) and the loss on the holdout.

    Rows must be in time order, or their dependence is not detected. Where the times of rows are known, numbers that have cycles are
    compared with the same hours and seasons.
    """
    origin = origin or PredictionOrigin()
    fitter = None if train.times is None else CycleFitter(train.times)
    features = [_feature(column, train, fitter) for column in schema.features]
    predicted = None if origin.times is None else CycleFitter(origin.times)
    prediction, _ = _numeric(PREDICTION, monitored_prediction(predictions, schema.task), predicted)
    if origin.by_other_fits:
        prediction = prediction.replace(reference_error=max(_OTHER_FITS, prediction.reference_error))
    numbers = {known.name: scored(known, slots) for known, slots in features if known.kind is FeatureKind.NUMERIC}
    return Profile(rows=len(train), features=[*(known for known, _ in features), prediction], correlations=correlations(numbers), loss=loss)


def scored(known: FeatureProfile, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the location score of each row of a number."""
    return np.array(location_scores(known.counts), np.int64)[slots]


def _feature(column: SchemaColumn, train: TrainingRows, fitter: CycleFitter | None) -> tuple[FeatureProfile, NDArray[np.int64]]:
    """Return the feature's profile and the slot of each row."""
    values = train.columns[column.name]
    if column.type is ColumnType.NUMBER:
        return _numeric(column.name, values, fitter)
    boolean = column.type is ColumnType.BOOLEAN
    texts = _boolean_texts(values) if boolean else values.tolist()
    chosen = CategorySlots(_BOOLEANS, [slice(0, len(texts))]) if boolean else category_slots(texts)
    known = FeatureProfile(name=column.name, kind=FeatureKind.CATEGORICAL, categories=chosen.categories, counts=[])
    return _counted(known, texts, chosen.counted)


def _boolean_texts(values: Floats) -> list[str | None]:
    return [None if np.isnan(value) else _BOOLEANS[int(value)] for value in values]


def _numeric(name: str, values: Floats, fitter: CycleFitter | None) -> tuple[FeatureProfile, NDArray[np.int64]]:
    """Return the number's profile and the slot of each row: without its cycle, where that shows a lasting change much sooner."""
    known, slots = _binned(FeatureProfile(name=name, kind=FeatureKind.NUMERIC, counts=[]), values)
    cycles = fitter.fit(values) if fitter else []
    whole = _width(values) if cycles else 0.0
    best = whole**2 * known.effect / _WORTHWHILE
    for found in cycles:
        width = _width(found.distances)
        blank = FeatureProfile(name=name, kind=FeatureKind.NUMERIC, cycle=found.cycle, counts=[], reference_error=found.terms / len(values))
        apart, slots_apart = _binned(blank, found.deviations)
        variance = width**2 * apart.effect * (1 + found.terms * _LASTING)
        if variance < best and width > _DETERMINED * whole:
            best, known, slots = variance, apart, slots_apart
    return known, slots


def _width(values: Floats) -> float:
    low, high = np.nanquantile(values, _QUARTILES)
    return float(high - low)


def _binned(feature: FeatureProfile, values: Floats) -> tuple[FeatureProfile, NDArray[np.int64]]:
    present = values[~np.isnan(values)]
    center = float(np.quantile(present, 0.5, method="lower")) if len(present) else 0.0
    edges = _edges(present, center).tolist()
    return _counted(feature.replace(center=center, edges=edges), values, [slice(0, len(values))])


def _edges(present: Floats, center: float) -> Floats:
    """A number of few values has a slot for each, and smaller ones than all have theirs where the smallest is common.

    Edges are put at the ends of buckets, where they are found fast, but never between two values of few.
    """
    if not len(present):
        return np.empty(0)
    distinct = np.unique(present)
    edges = np.unique(np.quantile(present, BIN_QUANTILES, method="lower"))
    ends = bucket_ends(edges, center)
    passed = np.searchsorted(distinct, ends, side="right") > np.searchsorted(distinct, edges, side="right")
    placed = np.where(passed, edges, ends) if len(distinct) <= len(edges) else ends
    common_minimum = edges[0] == distinct[0] and np.count_nonzero(present == edges[0]) > 1
    return np.unique([previous_bucket_end(edges[0], center), *placed] if common_minimum else placed)


def _counted(
    feature: FeatureProfile, values: Sequence[str | None] | Floats, counted: Sequence[slice]
) -> tuple[FeatureProfile, NDArray[np.int64]]:
    """Return the feature with the ``counted`` rows by slot and the design effects of all, and the slot of each row."""
    binner = FeatureBinner([feature])
    slots = binner.digitize({feature.name: values}, len(values))[0]
    counts = np.bincount(np.concatenate([slots[part] for part in counted]), minlength=binner.slot_count).tolist()
    by_slot = _slot_effects(slots, binner.slot_count)
    scores = [location_scores(counts), spread_scores(counts)] if feature.kind is FeatureKind.NUMERIC else []
    own = [float(design_effects(np.array(score, np.float64)[slots][:, None])[0]) for score in scores]
    frequent = [effect for effect, count in zip(by_slot, counts, strict=True) if not scores and count > FREQUENT * sum(counts)]
    slot_effects = [rounded_up(effect) for effect in by_slot] if max(by_slot) > 1 else []
    return feature.replace(counts=counts, effect=rounded_up(max([1.0, *own, *frequent])), slot_effects=slot_effects), slots


def _slot_effects(slots: NDArray[np.int64], number: int) -> list[float]:
    """Return the design effect of each slot's share; rows are counted by block first, which is cheap."""
    blocks = len(slots) // BLOCK
    block_slots = np.arange(blocks * BLOCK) // BLOCK * number + slots[: blocks * BLOCK]
    sums = np.bincount(block_slots, minlength=blocks * number).reshape(blocks, number).astype(np.float64)
    share = np.bincount(slots, minlength=number) / max(len(slots), 1)
    return [float(effect) for effect in effects_of_blocks(sums, share * (1 - share))]
