"""The pipeline of a candidate: missing values and categories prepared for its estimator, then the estimator.

Not here: fitting it, and choosing its parameters.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from mlmodel_contract.bundle import SchemaColumn
from mlmodel_contract.manifest import ColumnType, Estimator, Scalar
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

RARE = 10
"""A category with fewer training rows is treated as an unknown one."""

_BOOSTED = (Estimator.HIST_GRADIENT_BOOSTING_CLASSIFIER, Estimator.HIST_GRADIENT_BOOSTING_REGRESSOR)
_TREES = ("Tree", "Forest", "GradientBoosting")
_PRESETS: dict[Estimator, dict[str, Scalar]] = {
    Estimator.LOGISTIC_REGRESSION: {"max_iter": 1000},
    Estimator.SGD_CLASSIFIER: {"loss": "log_loss"},  # the default has no probabilities
}


class UnfitParametersError(ValueError):
    """The estimator does not know a parameter; the message names it and those it knows."""


def build(
    estimator: Estimator, parameters: Mapping[str, Scalar], features: Sequence[SchemaColumn], seed: int, threads: int = 1
) -> Pipeline:
    """Return an unfitted pipeline that takes a frame of the features.

    Raises:
        UnfitParametersError: the estimator has no parameter of a given name.

    """
    return make_pipeline(_columns(estimator, features), _model(estimator, parameters, seed, threads))


def is_tree(estimator: Estimator) -> bool:
    """Return whether the estimator splits at thresholds, so that only the order of numbers matters."""
    return any(word in estimator.rsplit(".", 1)[-1] for word in _TREES)


def has_probabilities(pipeline: Pipeline) -> bool:
    """Return whether a fitted classifier predicts probabilities."""
    return hasattr(pipeline, "predict_proba")


def for_serving(pipeline: Pipeline) -> Pipeline:
    """Let a fitted forest predict with one thread: a server runs many small requests at once, not one large one."""
    if "n_jobs" in pipeline[-1].get_params():
        pipeline[-1].set_params(n_jobs=None)
    return pipeline


def _model(estimator: Estimator, parameters: Mapping[str, Scalar], seed: int, threads: int) -> BaseEstimator:
    kind = _class(estimator)
    known = set(kind().get_params())
    unknown = sorted(set(parameters) - known)
    if unknown:
        name = estimator.rsplit(".", 1)[-1]
        raise UnfitParametersError(f"{name} has no parameter '{unknown[0]}': it has {', '.join(sorted(known))}")
    fixed = {name: value for name, value in {"random_state": seed, "n_jobs": threads}.items() if name in known and _varies(estimator, name)}
    return kind(**{**fixed, **_PRESETS.get(estimator, {}), **parameters})


def _varies(estimator: Estimator, name: str) -> bool:
    """Only forests make use of threads of their own."""
    return name != "n_jobs" or "Forest" in estimator or "ExtraTrees" in estimator


def _class(estimator: Estimator) -> Any:
    module, name = estimator.rsplit(".", 1)
    return getattr(import_module(module), name)


def _columns(estimator: Estimator, features: Sequence[SchemaColumn]) -> ColumnTransformer:
    categories = [column.name for column in features if column.type is ColumnType.CATEGORY]
    numbers = [column.name for column in features if column.type is not ColumnType.CATEGORY]
    parts = []
    if numbers:
        parts.append(("numbers", _numbers(estimator), numbers))
    if categories:
        parts.append(("categories", _categories(estimator), categories))
    return ColumnTransformer(parts, verbose_feature_names_out=False)


def _numbers(estimator: Estimator) -> Any:
    """Boosted trees read missing values themselves; other trees need no scale; all else needs both."""
    if estimator in _BOOSTED:
        return "passthrough"
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return imputer if is_tree(estimator) else make_pipeline(imputer, StandardScaler())


def _categories(estimator: Estimator) -> Any:
    if is_tree(estimator):
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=RARE)
    return OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=estimator is not Estimator.GAUSSIAN_NB)
