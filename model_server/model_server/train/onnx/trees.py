"""Tree models as ONNX, so that no comparison with a threshold can differ from scikit-learn's.

scikit-learn's trees compare float32 values with float64 thresholds: the largest float32 below or at the threshold decides the same.
Boosted histograms compare float64 with float64: each value is replaced by how many of its feature's thresholds lie below it, which
float32 holds exactly. Sums of leaves are float32. Not here: the models' inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .graph import DOUBLE, FLOAT, Graph
from .linear import two_columns

_SINGLE = DecisionTreeClassifier | DecisionTreeRegressor
_FOREST = RandomForestClassifier | RandomForestRegressor | ExtraTreesClassifier | ExtraTreesRegressor
_BOOSTED = GradientBoostingClassifier | GradientBoostingRegressor
_HISTOGRAM = HistGradientBoostingClassifier | HistGradientBoostingRegressor
_LEAF = -1


@dataclass(frozen=True)
class Tree:
    """One tree by node: ``left`` is ``_LEAF`` for leaves, whose ``values`` (nodes x targets) start at target ``first``."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    first: int = 0


@dataclass
class _Attributes:
    """The node lists of an ONNX tree ensemble."""

    nodes: dict[str, list[Any]] = field(default_factory=dict)

    def extend(self, **lists: Sequence[Any]) -> None:
        for name, values in lists.items():
            self.nodes.setdefault(name, []).extend(values)


def trees(graph: Graph, model: Any, values: str, example: NDArray[np.float64]) -> str | None:
    """Add the model; return the probabilities or numbers, None for a model that is no tree or has another link.

    Args:
        graph: is added to.
        model: fitted.
        values: the matrix that the model is given.
        example: one row of that matrix, from which a boosted model's constant is found.

    """
    if isinstance(model, _SINGLE | _FOREST):
        each = [model] if isinstance(model, _SINGLE) else list(model.estimators_)
        sums = _ensemble(graph, [_of_tree(tree.tree_, 1 / len(each)) for tree in each], graph.cast(values, FLOAT))
        return graph.cast(sums, DOUBLE)
    if isinstance(model, _BOOSTED) and getattr(model, "loss", None) in ("log_loss", "squared_error", "absolute_error", "huber", "quantile"):
        stages = [_of_tree(tree.tree_, model.learning_rate, place) for row in model.estimators_ for place, tree in enumerate(row)]
        sums = graph.cast(_ensemble(graph, stages, graph.cast(values, FLOAT)), DOUBLE)
        return _linked(graph, model, graph.add("Add", sums, graph.constant(_constant(model, example))))
    if isinstance(model, _HISTOGRAM) and model.is_categorical_ is None:
        stages = [_of_histogram(tree.nodes, place) for row in model._predictors for place, tree in enumerate(row)]
        sums = graph.cast(_ensemble(graph, *_counted(graph, stages, values)), DOUBLE)
        return _linked(
            graph, model, graph.add("Add", sums, graph.constant(np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1, -1)))
        )
    return None


def thresholds(model: Any) -> dict[int, NDArray[np.float64]]:
    """Return the thresholds that the model compares each of its features with; none for a model that is no tree."""
    if isinstance(model, _HISTOGRAM):
        found = [_of_histogram(tree.nodes) for row in model._predictors for tree in row]
    elif isinstance(model, _SINGLE | _FOREST | _BOOSTED):
        each = [model] if isinstance(model, _SINGLE) else np.ravel(model.estimators_).tolist()
        found = [_of_tree(tree.tree_, 1.0) for tree in each]
    else:
        return {}
    return _by_feature(found)


def _of_tree(tree: Any, weight: float, first: int = 0) -> Tree:
    """Read one of scikit-learn's trees; its thresholds become the float32 that decide the same."""
    rounded = tree.threshold.astype(np.float32)
    below = np.where(rounded > tree.threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return Tree(
        left=np.where(tree.children_left == tree.children_right, _LEAF, tree.children_left),
        right=tree.children_right,
        feature=tree.feature,
        threshold=below.astype(np.float64),
        missing_left=np.zeros(tree.node_count, dtype=np.bool_),
        values=tree.value[:, 0, :] * weight,
        first=first,
    )


def _of_histogram(nodes: Any, first: int = 0) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        left=np.where(leaf, _LEAF, nodes["left"].astype(np.int64)),
        right=nodes["right"].astype(np.int64),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"].astype(np.float64)[:, None],
        first=first,
    )


def _by_feature(found: Sequence[Tree]) -> dict[int, NDArray[np.float64]]:
    features = np.concatenate([tree.feature[tree.left != _LEAF] for tree in found])
    values = np.concatenate([tree.threshold[tree.left != _LEAF] for tree in found])
    return {int(feature): np.unique(values[features == feature]) for feature in np.unique(features)}


def _counted(graph: Graph, stages: Sequence[Tree], values: str) -> tuple[list[Tree], str]:
    """Replace each used feature by the number of its thresholds below the value, and each threshold by its place among them."""
    used = _by_feature(stages)
    table = np.full((len(used), max((len(known) for known in used.values()), default=1)), np.inf)
    for place, known in enumerate(used.values()):
        table[place, : len(known)] = known
    if not used:
        return list(stages), graph.cast(values, FLOAT)
    columns = graph.add("Gather", values, graph.constant(np.array(list(used), dtype=np.int64)), axis=1)
    above = graph.add("Greater", graph.add("Unsqueeze", columns, graph.constant(np.array([2]))), graph.constant(table[None, :, :]))
    counts = graph.add("ReduceSum", graph.cast(above, FLOAT), graph.constant(np.array([2])), keepdims=0)
    missing = graph.constant(np.array([[np.nan]], dtype=np.float32))
    codes = graph.add("Where", graph.add("IsNaN", columns), missing, counts)
    return [_placed(tree, used) for tree in stages], codes


def _placed(tree: Tree, used: dict[int, NDArray[np.float64]]) -> Tree:
    places = {feature: place for place, feature in enumerate(used)}
    feature, threshold = tree.feature.copy(), tree.threshold.copy()
    for node in np.flatnonzero(tree.left != _LEAF):
        known = int(tree.feature[node])
        feature[node] = places[known]
        threshold[node] = np.searchsorted(used[known], tree.threshold[node]) + 0.5
    return Tree(tree.left, tree.right, feature, threshold, tree.missing_left, tree.values, tree.first)


def _ensemble(graph: Graph, stages: Sequence[Tree], values: str) -> str:
    """Add the trees as one node that sums their leaves by target."""
    attributes = _Attributes()
    for number, tree in enumerate(stages):
        _extend(attributes, number, tree)
    targets = max(tree.first + tree.values.shape[1] for tree in stages)
    return graph.add("TreeEnsembleRegressor", values, domain="ai.onnx.ml", n_targets=targets, aggregate_function="SUM", **attributes.nodes)


def _extend(attributes: _Attributes, number: int, tree: Tree) -> None:
    nodes = np.arange(len(tree.left))
    leaf = tree.left == _LEAF
    attributes.extend(
        nodes_treeids=[number] * len(nodes),
        nodes_nodeids=nodes.tolist(),
        nodes_featureids=np.where(leaf, 0, tree.feature).tolist(),
        nodes_values=np.where(leaf, 0.0, tree.threshold).tolist(),
        nodes_modes=["LEAF" if ends else "BRANCH_LEQ" for ends in leaf],
        nodes_truenodeids=np.where(leaf, 0, tree.left).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, tree.right).tolist(),
        nodes_missing_value_tracks_true=np.where(leaf, 0, tree.missing_left).astype(int).tolist(),
    )
    leaves, width = np.flatnonzero(leaf), tree.values.shape[1]
    attributes.extend(
        target_treeids=[number] * (len(leaves) * width),
        target_nodeids=np.repeat(leaves, width).tolist(),
        target_ids=np.tile(np.arange(tree.first, tree.first + width), len(leaves)).tolist(),
        target_weights=tree.values[leaves].ravel().tolist(),
    )


def _constant(model: Any, example: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a boosted model starts from: its score of a row less what its trees add to it."""
    added = np.array([[model.learning_rate * sum(tree.predict(example)[0] for tree in column) for column in model.estimators_.T]])
    scores = model.decision_function(example) if hasattr(model, "decision_function") else model.predict(example)
    return np.asarray(np.reshape(scores, (1, -1)) - added, dtype=np.float64)


def _linked(graph: Graph, model: Any, scores: str) -> str | None:
    """Add what turns scores into probabilities or numbers."""
    if hasattr(model, "classes_"):
        return two_columns(graph, graph.add("Sigmoid", scores)) if len(model.classes_) == 2 else graph.add("Softmax", scores, axis=1)
    if getattr(model, "loss", "") in ("poisson", "gamma"):
        return graph.add("Exp", scores)
    return scores
