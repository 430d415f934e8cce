"""The profile: the slots that live values are counted in, and how many training rows are in each.

Pure. A boolean is counted as the categories ``false`` and ``true``. Not here: counting live rows, or comparing them.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from mlmodel_contract.bundle import BIN_QUANTILES, MOST_CATEGORIES, BundleSchema, FeatureProfile, Profile, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.report import PREDICTION, FeatureKind, LossReference
from mlmodel_contract.slot_scores import FREQUENT, location_scores, spread_scores
from numpy.typing import NDArray

from ..binning.edge_search import bucket_ends, previous_bucket_end
from ..binning.monitored_prediction import monitored_prediction
from ..binning.slots import FeatureBinner
from .data.training_rows import TrainingRows
from .evaluate.correlations import correlations
from .evaluate.dependence import BLOCK, design_effects, effects_of_blocks, rounded_up
from .evaluate.losses import Floats

_BOOLEANS = ["false", "true"]


def profile(schema: BundleSchema, train: TrainingRows, predictions: Floats, loss: LossReference) -> Profile:
    """Return the profile of the training rows, and of the predictions (rows x classes, or rows x 1) and the loss on the holdout.

    Rows must be in time order, or their dependence is not detected.
    """
    features = [_feature(column, train) for column in schema.features]
    prediction, _ = _numeric(PREDICTION, monitored_prediction(predictions, schema.task))
    numbers = {known.name: scored(known, slots) for known, slots in features if known.kind is FeatureKind.NUMERIC}
    return Profile(rows=len(train), features=[*(known for known, _ in features), prediction], correlations=correlations(numbers), loss=loss)


def scored(known: FeatureProfile, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the location score of each row of a number."""
    return np.array(location_scores(known.counts), np.int64)[slots]


def _feature(column: SchemaColumn, train: TrainingRows) -> tuple[FeatureProfile, NDArray[np.int64]]:
    """Return the feature's profile and the slot of each row."""
    values = train.columns[column.name]
    if column.type is ColumnType.NUMBER:
        return _numeric(column.name, values)
    texts = _boolean_texts(values) if column.type is ColumnType.BOOLEAN else values.tolist()
    counts = Counter(texts)
    counts.pop(None, 0)
    ranked = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    top = _BOOLEANS if column.type is ColumnType.BOOLEAN else ranked[:MOST_CATEGORIES]
    return _counted(FeatureProfile(name=column.name, kind=FeatureKind.CATEGORICAL, categories=top, counts=[]), texts)


def _boolean_texts(values: Floats) -> list[str | None]:
    return [None if np.isnan(value) else _BOOLEANS[int(value)] for value in values]


def _numeric(name: str, values: Floats) -> tuple[FeatureProfile, NDArray[np.int64]]:
    present = values[~np.isnan(values)]
    center = float(np.quantile(present, 0.5, method="lower")) if len(present) else 0.0
    edges = _edges(present, center).tolist()
    return _counted(FeatureProfile(name=name, kind=FeatureKind.NUMERIC, center=center, edges=edges, counts=[]), values)


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


def _counted(feature: FeatureProfile, values: Sequence[str | None] | Floats) -> tuple[FeatureProfile, NDArray[np.int64]]:
    """Return the feature with its rows by slot and their design effects, and the slot of each row."""
    binner = FeatureBinner([feature])
    slots = binner.digitize({feature.name: values}, len(values))[0]
    counts = np.bincount(slots, minlength=binner.slot_count).tolist()
    by_slot = _slot_effects(slots, binner.slot_count)
    scores = [location_scores(counts), spread_scores(counts)] if feature.kind is FeatureKind.NUMERIC else []
    own = [float(design_effects(np.array(score, np.float64)[slots][:, None])[0]) for score in scores]
    frequent = [effect for effect, count in zip(by_slot, counts, strict=True) if not scores and count > FREQUENT * len(slots)]
    slot_effects = [rounded_up(effect) for effect in by_slot] if max(by_slot) > 1 else []
    return feature.replace(counts=counts, effect=rounded_up(max([1.0, *own, *frequent])), slot_effects=slot_effects), slots


def _slot_effects(slots: NDArray[np.int64], number: int) -> list[float]:
    """Return the design effect of each slot's share; rows are counted by block first, which is cheap."""
    blocks = len(slots) // BLOCK
    block_slots = np.arange(blocks * BLOCK) // BLOCK * number + slots[: blocks * BLOCK]
    sums = np.bincount(block_slots, minlength=blocks * number).reshape(blocks, number).astype(np.float64)
    share = np.bincount(slots, minlength=number) / max(len(slots), 1)
    return [float(effect) for effect in effects_of_blocks(sums, share * (1 - share))]
