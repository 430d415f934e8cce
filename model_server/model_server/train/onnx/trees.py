"""Tree models as ONNX, to the last bit of their sums: in float64, each leaf added in the order in which scikit-learn adds it.

scikit-learn's own trees compare float32 values with float64 thresholds, boosted histograms float64 with float64; ONNX's ensemble does the
same in float64. Only the link after the sums, such as the sigmoid, may round differently. Not here: the models' inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper
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

from .graph import DOUBLE, FLOAT, INT64, Graph
from .linear import two_columns

_SINGLE = DecisionTreeClassifier | DecisionTreeRegressor
_FOREST = RandomForestClassifier | RandomForestRegressor | ExtraTreesClassifier | ExtraTreesRegressor
_BOOSTED = GradientBoostingClassifier | GradientBoostingRegressor
_HISTOGRAM = HistGradientBoostingClassifier | HistGradientBoostingRegressor
_LEAF = -1
_SUM = 1
"""The ensemble's function that adds the leaves of each target."""


@dataclass(frozen=True)
class Tree:
    """One tree by node: ``left`` is ``_LEAF`` for leaves; their ``values`` are added to the score ``target``."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    target: int = 0

    @property
    def leaves(self) -> NDArray[np.bool_]:
        """Which nodes are leaves."""
        return np.asarray(self.left == _LEAF)


def trees(graph: Graph, model: Any, values: str, example: NDArray[np.float64]) -> str | None:
    """Add the model; return the probabilities or numbers, None for a model that is no tree or has another link.

    Args:
        graph: is added to.
        model: fitted.
        values: the matrix that the model is given.
        example: one row of that matrix, for which a boosted model says what it starts from.

    """
    if isinstance(model, _SINGLE | _FOREST):
        each = [model] if isinstance(model, _SINGLE) else list(model.estimators_)
        sums = (_shares if hasattr(model, "classes_") else _numbers)(graph, [tree.tree_ for tree in each], _rounded(graph, values))
        return graph.add("Div", sums, graph.constant(np.array([float(len(each))])))
    if isinstance(model, _BOOSTED) and getattr(model, "loss", None) in ("log_loss", "squared_error", "absolute_error", "huber", "quantile"):
        stages = [
            _from_tree(tree.tree_, model.learning_rate * tree.tree_.value[:, 0, 0], index)
            for row in model.estimators_
            for index, tree in enumerate(row)
        ]
        start = model._raw_predict_init(example.astype(np.float32))
        return _linked(graph, model, _ensemble(graph, [*_constants(start), *stages], _rounded(graph, values)))
    if isinstance(model, _HISTOGRAM) and model.is_categorical_ is None:
        stages = [_from_histogram(tree.nodes, index) for row in model._predictors for index, tree in enumerate(row)]
        return _linked(graph, model, _ensemble(graph, [*_constants(model._baseline_prediction), *stages], values))
    return None


def thresholds(model: Any) -> dict[int, NDArray[np.float64]]:
    """Return the thresholds that the model compares each of its features with; none for a model that is no tree."""
    if isinstance(model, _HISTOGRAM):
        found = [_from_histogram(tree.nodes) for row in model._predictors for tree in row]
    elif isinstance(model, _SINGLE | _FOREST | _BOOSTED):
        each = [model] if isinstance(model, _SINGLE) else np.ravel(model.estimators_).tolist()
        found = [_from_tree(tree.tree_, tree.tree_.threshold) for tree in each]
    else:
        return {}
    features = np.concatenate([tree.feature[~tree.leaves] for tree in found])
    values = np.concatenate([tree.threshold[~tree.leaves] for tree in found])
    return {int(feature): np.unique(values[features == feature]) for feature in np.unique(features)}


def _from_tree(tree: Any, values: NDArray[np.float64], target: int = 0) -> Tree:
    return Tree(
        left=np.where(tree.children_left == tree.children_right, _LEAF, tree.children_left),
        right=tree.children_right,
        feature=tree.feature,
        threshold=tree.threshold,
        missing_left=np.zeros(tree.node_count, dtype=np.bool_),  # nothing is missing where the imputer was
        values=values,
        target=target,
    )


def _from_histogram(nodes: Any, target: int = 0) -> Tree:
    return Tree(
        left=np.where(nodes["is_leaf"], _LEAF, nodes["left"].astype(np.int64)),
        right=nodes["right"].astype(np.int64),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"].astype(np.float64),
        target=target,
    )


def _constants(start: Any) -> list[Tree]:
    """Return what a boosted model starts from as trees of one leaf, so that it is what the others are added to."""
    leaf, none = np.array([_LEAF]), np.array([0])
    return [
        Tree(leaf, leaf, none, np.zeros(1), np.zeros(1, dtype=np.bool_), np.array([value]), target)
        for target, value in enumerate(np.ravel(start))
    ]


def _rounded(graph: Graph, values: str) -> str:
    """Add what scikit-learn's own trees do with their input."""
    return graph.cast(graph.cast(values, FLOAT), DOUBLE)


def _numbers(graph: Graph, found: Sequence[Any], values: str) -> str:
    return _ensemble(graph, [_from_tree(tree, tree.value[:, 0, 0]) for tree in found], values)


def _shares(graph: Graph, found: Sequence[Any], values: str) -> str:
    """Add the sum of the classes' shares in the leaves: the ensemble finds the leaf of each tree, whose shares stand in a table.

    A leaf of the ensemble has one number; a tree for each class would have to be walked anew for each of them.
    """
    numbered, tables, first = [], [], 0
    for index, tree in enumerate(found):
        leaves = np.flatnonzero(tree.children_left == tree.children_right)
        numbers = np.zeros(tree.node_count)
        numbers[leaves] = np.arange(first, first + len(leaves))
        numbered.append(_from_tree(tree, numbers, index))
        tables.append(tree.value[leaves, 0, :])
        first += len(leaves)
    reached = graph.cast(_ensemble(graph, numbered, values), INT64)
    shares = graph.add("Gather", graph.constant(np.concatenate(tables)), reached, axis=0)  # rows x trees x classes
    sums = graph.add("CumSum", shares, graph.constant(np.array(1)))  # tree after tree; the order of ReduceSum is not known
    return graph.add("Gather", sums, graph.constant(np.array(len(found) - 1)), axis=1)


def _ensemble(graph: Graph, found: Sequence[Tree], values: str) -> str:
    """Add the trees as one node that sums their leaves by target."""
    parts = [_inner(tree) for tree in found]
    inner = np.cumsum([0, *(len(part["nodes_splits"]) for part in parts)])
    leaves = np.cumsum([0, *(len(part["leaf_weights"]) for part in parts)])
    for part, nodes, ends in zip(parts, inner, leaves, strict=False):
        for side in ("true", "false"):
            part[f"nodes_{side}nodeids"] += np.where(part[f"nodes_{side}leafs"], ends, nodes)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    tensors = {name: numpy_helper.from_array(joined.pop(name)) for name in ("nodes_splits", "nodes_modes", "leaf_weights")}
    return graph.add(
        "TreeEnsemble",
        values,
        domain="ai.onnx.ml",
        aggregate_function=_SUM,
        n_targets=max(tree.target for tree in found) + 1,
        tree_roots=inner[:-1].tolist(),
        **tensors,
        **{name: entries.tolist() for name, entries in joined.items()},
    )


def _inner(tree: Tree) -> dict[str, NDArray[Any]]:
    """Return the lists of one tree; inner nodes and leaves are numbered apart, each from zero."""
    leaf = tree.leaves
    if leaf[0]:
        return _only_leaf(tree)
    position = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    left, right = tree.left[~leaf], tree.right[~leaf]
    return _lists(tree, tree.feature[~leaf], tree.threshold[~leaf], tree.missing_left[~leaf]) | {
        "nodes_truenodeids": position[left],
        "nodes_falsenodeids": position[right],
        "nodes_trueleafs": leaf[left].astype(np.int64),
        "nodes_falseleafs": leaf[right].astype(np.int64),
    }


def _only_leaf(tree: Tree) -> dict[str, NDArray[Any]]:
    """Return a tree without a question as one whose question leads to its leaf in either case."""
    ends = {
        f"nodes_{side}{part}": np.array([part == "leafs"], dtype=np.int64) for side in ("true", "false") for part in ("nodeids", "leafs")
    }
    return _lists(tree, np.array([0]), np.zeros(1), np.zeros(1, dtype=np.bool_)) | ends


def _lists(tree: Tree, feature: NDArray[Any], threshold: NDArray[Any], missing_left: NDArray[Any]) -> dict[str, NDArray[Any]]:
    weights = tree.values[tree.leaves].astype(np.float64)
    return {
        "nodes_featureids": feature.astype(np.int64),
        "nodes_splits": threshold.astype(np.float64),
        "nodes_modes": np.zeros(len(feature), dtype=np.uint8),  # BRANCH_LEQ
        "nodes_missing_value_tracks_true": missing_left.astype(np.int64),
        "leaf_weights": weights,
        "leaf_targetids": np.full(len(weights), tree.target, dtype=np.int64),
    }


def _linked(graph: Graph, model: Any, scores: str) -> str:
    """Add what turns scores into probabilities or numbers."""
    if hasattr(model, "classes_"):
        return two_columns(graph, graph.add("Sigmoid", scores)) if len(model.classes_) == 2 else graph.add("Softmax", scores, axis=1)
    if getattr(model, "loss", "") in ("poisson", "gamma"):
        return graph.add("Exp", scores)
    return scores
