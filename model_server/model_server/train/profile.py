"""The profile: how live values are counted into slots, and how the training rows fall into them.

Pure. A boolean is counted as the categories ``false`` and ``true``. Not here: counting live rows, or judging them.
"""

from collections import Counter

import numpy as np
from mlmodel_contract.bundle import BundleSchema, FeatureProfile, Profile, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.report import PREDICTION, FeatureKind, LossReference
from numpy.typing import NDArray

from .losses import Floats
from .rows import Rows

_QUANTILES = np.unique(np.concatenate([np.arange(1, 32) / 32, [0.001, 0.01, 0.99, 0.999]]))
"""35 edges: 36 slots and one for missing values."""

_TOP = 30
_BOOLEANS = ["false", "true"]


def profile(schema: BundleSchema, train: Rows, predictions: Floats, loss: LossReference) -> Profile:
    """Return the profile of the training rows, and of the predictions (rows x classes, or rows x 1) and the loss on the holdout."""
    features = [_feature(column, train) for column in schema.features]
    return Profile(rows=len(train), features=[*features, _numeric(PREDICTION, watched(predictions))], loss=loss)


def watched(predictions: Floats) -> Floats:
    """Return the one number of each prediction that is watched: the second of two probabilities, the highest of more, or the number."""
    if predictions.shape[1] == 1:
        return predictions[:, 0]
    return predictions[:, 1] if predictions.shape[1] == 2 else predictions.max(axis=1)


def _feature(column: SchemaColumn, train: Rows) -> FeatureProfile:
    values = train.columns[column.name]
    if column.type is ColumnType.NUMBER:
        return _numeric(column.name, values)
    counts = _boolean_counts(values) if column.type is ColumnType.BOOLEAN else Counter(values.tolist())
    missing = counts.pop(None, 0)
    top = (
        _BOOLEANS
        if column.type is ColumnType.BOOLEAN
        else [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:_TOP]
    )
    named = [counts[name] for name in top]
    return FeatureProfile(
        name=column.name, kind=FeatureKind.CATEGORICAL, categories=top, counts=[*named, counts.total() - sum(named), missing]
    )


def _boolean_counts(values: Floats) -> Counter[str | None]:
    missing = int(np.isnan(values).sum())
    true = int((values == 1.0).sum())
    return Counter({"false": len(values) - missing - true, "true": true, None: missing})


def _numeric(name: str, values: Floats) -> FeatureProfile:
    """Edges are values that occur, so that a number of few values has a slot for each."""
    present = values[~np.isnan(values)]
    edges: NDArray[np.float64] = np.unique(np.quantile(present, _QUANTILES, method="lower")) if len(present) else np.empty(0)
    slots = np.searchsorted(edges, present, side="left")
    counts = np.bincount(slots, minlength=len(edges) + 1).tolist()
    return FeatureProfile(name=name, kind=FeatureKind.NUMERIC, edges=edges.tolist(), counts=[*counts, len(values) - len(present)])
