"""What a ``model.skops`` may contain: our own list, never the bundle's, and narrower than skops' own defaults.

A skops file is a tree of nodes; each names a type and the loader that rebuilds it. Both must be on the lists below, so that neither
functions, methods, partials and operators nor arbitrary classes are ever loaded. The lists cover every estimator of the contract.
Not here: loading.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import BundleRefused

PROTOCOL = 2
"""Version of the file format; skops' own constant cannot be read without importing all of scikit-learn."""

_BASIC = {
    "builtins.dict": "DictNode",
    "builtins.list": "ListNode",
    "builtins.tuple": "TupleNode",
    "builtins.slice": "SliceNode",
    "builtins.str": "JsonNode",
    "numpy.dtype": "DTypeNode",
    "numpy.ndarray": "NdArrayNode",
    "numpy.random._generator.Generator": "RandomGeneratorNode",
    "numpy.random.mtrand.RandomState": "RandomStateNode",
    "scipy.sparse._csr.csr_array": "SparseMatrixNode",
    "scipy.sparse._csr.csr_matrix": "SparseMatrixNode",
    "sklearn.tree._tree.Tree": "TreeNode",
}
_SCALARS = {f"numpy.{name}" for name in ("bool", "bool_", "float32", "float64", "int32", "int64", "uint8", "uint32", "uint64", "str_")}
_TYPES = _SCALARS | {f"builtins.{name}" for name in ("bool", "float", "int", "str", "object")}
_LOSSES = {
    f"sklearn._loss._loss.Cy{name}"
    for name in (
        *("AbsoluteError", "ExponentialLoss", "HalfBinomialLoss", "HalfGammaLoss", "HalfMultinomialLoss", "HalfPoissonLoss"),
        *("HalfSquaredError", "HalfTweedieLoss", "HalfTweedieLossIdentity", "HuberLoss", "PinballLoss"),
    )
}
_LOSSES_OF_SGD = {"sklearn.linear_model._sgd_fast.ModifiedHuber"}  # the others are of ``_LOSSES``, or give no probabilities
_OBJECTS = {
    *(f"sklearn._loss.link.{name}" for name in ("HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit")),
    *(f"sklearn._loss.loss.{name.rsplit('.Cy', 1)[-1]}" for name in _LOSSES),
    "sklearn.compose._column_transformer.ColumnTransformer",
    *(f"sklearn.dummy.Dummy{kind}" for kind in ("Classifier", "Regressor")),
    *(f"sklearn.ensemble._forest.{name}{kind}" for name in ("ExtraTrees", "RandomForest") for kind in ("Classifier", "Regressor")),
    *(f"sklearn.ensemble._gb.GradientBoosting{kind}" for kind in ("Classifier", "Regressor")),
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    *(f"sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoosting{kind}" for kind in ("Classifier", "Regressor")),
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    *(f"sklearn.impute._base.{name}" for name in ("MissingIndicator", "SimpleImputer")),
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._coordinate_descent.ElasticNet",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.linear_model._stochastic_gradient.SGDClassifier",
    *(
        f"sklearn.metrics._dist_metrics.{name}64"
        for name in ("ChebyshevDistance", "EuclideanDistance", "ManhattanDistance", "MinkowskiDistance")
    ),
    "sklearn.naive_bayes.GaussianNB",
    *(f"sklearn.neighbors.{name}" for name in ("_ball_tree.BallTree", "_kd_tree.KDTree")),
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.neighbors._regression.KNeighborsRegressor",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
    *(f"sklearn.preprocessing._encoders.{name}" for name in ("OneHotEncoder", "OrdinalEncoder")),
    "sklearn.preprocessing._function_transformer.FunctionTransformer",  # the identity: its function would need a loader that is not listed
    "sklearn.preprocessing._label.LabelEncoder",
    *(f"sklearn.tree._classes.{name}Tree{kind}" for name in ("Decision", "Extra") for kind in ("Classifier", "Regressor")),
}
_ALLOWED = frozenset(
    [
        *_BASIC.items(),
        *((name, "NdArrayNode") for name in _SCALARS),
        *((name, "TypeNode") for name in _TYPES),
        *((name, "LossNode") for name in _LOSSES | _LOSSES_OF_SGD),
        *((name, "ObjectNode") for name in _OBJECTS),
    ]
)


def check_types(file: Path) -> None:
    """Check every type in a ``model.skops``, without importing skops or scikit-learn.

    Raises:
        BundleRefused: the file is no skops file of this version, or holds a type or loader that is not on the list.

    """
    for name, loader in sorted(set(_nodes(_tree(file)))):
        if (name, loader) not in _ALLOWED:
            message = f"model.skops holds the type {name} (as {loader}), which may not be loaded: use the estimators of the manifest"
            raise BundleRefused("ForbiddenType", message[:400])


def _tree(file: Path) -> Any:
    """Return the file's tree; one of another protocol would be read by other loaders than those that were listed."""
    try:
        with zipfile.ZipFile(file) as archive:
            tree = json.loads(archive.read("schema.json"))
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise BundleRefused("ForbiddenType", "model.skops is no skops file: store the pipeline with skops.io.dump") from error
    if not isinstance(tree, dict) or tree.get("protocol") != PROTOCOL:
        raise BundleRefused("LibraryVersion", "model.skops was written by another version of skops: train or package it anew")
    return tree


def _nodes(root: Any) -> Iterator[tuple[str, str]]:
    """Yield every node's type and loader, without recursion: a hostile file may be nested deeper than the stack."""
    pending = [root]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if any(key in part for key in ("__loader__", "__class__", "__module__")):
                yield f"{part.get('__module__')}.{part.get('__class__')}", str(part.get("__loader__"))
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
