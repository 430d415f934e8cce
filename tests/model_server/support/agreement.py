"""Models as users would declare them, trained and packaged by the real stages in this process, and what scikit-learn says of their rows.

Not here: what the two must have in common (``test_agreement.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import skops.io
from hypothesis import strategies as st
from mlmodel_contract.bundle import MODEL
from mlmodel_contract.manifest import ColumnType, Estimator
from mlmodel_contract.quality_metrics import Task
from model_server.bundle.engine import Columns
from model_server.bundle.read import Bundle, open_bundle
from model_server.prediction_id.ids import Signer
from model_server.serve.inference.data_plane import DataPlane
from model_server.serve.served_model import ServedModel
from model_server.train.onnx.trees import thresholds
from sklearn.utils import all_estimators

from tests.model_server.support.training_runs import Run

DATATYPES = {"float32": "FP32", "float64": "FP64", "int": "INT64", "bool": "BOOL", "str": "BYTES"}
TYPES = dict.fromkeys(("float32", "float64", "int"), "number") | {"bool": "boolean", "str": "category"}
_TEXTS = np.array(["AA", "B6", "Zürich", "x" * 40, "rare"], dtype=object)
_MANIFEST = {str(estimator).rsplit(".", 1)[-1]: estimator for estimator in Estimator}

LISTED = [_MANIFEST[name] for name, _ in all_estimators(type_filter=["classifier", "regressor"]) if name in _MANIFEST]
"""scikit-learn's classifiers and regressors that a manifest takes."""

_WHOLE, _RATE = st.integers, st.floats(0.01, 0.9)
_TREE = {"max_depth": st.none() | _WHOLE(1, 8), "min_samples_leaf": _WHOLE(1, 9), "max_features": st.none() | st.just("sqrt")}
_FOREST = _TREE | {"n_estimators": _WHOLE(1, 9), "bootstrap": st.booleans()}
_BOOSTED = {"n_estimators": _WHOLE(1, 9), "learning_rate": _RATE, "subsample": _RATE, "max_depth": _WHOLE(1, 4)}
_HISTOGRAM = {"max_iter": _WHOLE(1, 9), "learning_rate": _RATE, "max_leaf_nodes": _WHOLE(2, 31), "min_samples_leaf": _WHOLE(1, 20)}
_NEIGHBOURS = {
    "n_neighbors": _WHOLE(1, 9),
    "weights": st.sampled_from(["uniform", "distance"]),
    "algorithm": st.sampled_from(["auto", "brute", "kd_tree", "ball_tree"]),
}
_SPLITS = {"criterion": st.sampled_from(["gini", "entropy", "log_loss"])}
_LOSSES = {"loss": st.sampled_from(["squared_error", "absolute_error", "huber", "quantile"])}
_PARAMETERS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "LogisticRegression": {"C": st.floats(1e-3, 1e3), "fit_intercept": st.booleans(), "class_weight": st.sampled_from([None, "balanced"])},
    "SGDClassifier": {"loss": st.sampled_from(["log_loss", "modified_huber"]), "alpha": st.floats(1e-5, 0.1)},
    "DecisionTreeClassifier": _TREE | _SPLITS,
    "RandomForestClassifier": _FOREST | _SPLITS,
    "ExtraTreesClassifier": _FOREST | _SPLITS,
    "GradientBoostingClassifier": _BOOSTED,
    "HistGradientBoostingClassifier": _HISTOGRAM,
    "KNeighborsClassifier": _NEIGHBOURS,
    "GaussianNB": {"var_smoothing": st.floats(1e-9, 1e-2)},
    "DummyClassifier": {"strategy": st.sampled_from(["prior", "uniform", "stratified", "most_frequent"])},
    "LinearRegression": {"fit_intercept": st.booleans(), "positive": st.booleans()},
    "Ridge": {"alpha": st.floats(1e-3, 1e3), "solver": st.sampled_from(["auto", "lsqr", "sag", "sparse_cg"])},
    "ElasticNet": {"alpha": st.floats(1e-3, 10), "l1_ratio": st.floats(0.05, 1)},
    "DecisionTreeRegressor": _TREE,
    "RandomForestRegressor": _FOREST,
    "ExtraTreesRegressor": _FOREST,
    "GradientBoostingRegressor": _BOOSTED | _LOSSES,
    "HistGradientBoostingRegressor": _HISTOGRAM | {"loss": st.sampled_from(["squared_error", "absolute_error", "poisson", "gamma"])},
    "KNeighborsRegressor": _NEIGHBOURS,
    "DummyRegressor": {"strategy": st.sampled_from(["mean", "median"])},
}


@dataclass(frozen=True)
class Declared:
    """A model: an estimator with parameters, the kinds of its columns, how many classes it tells apart, and how its rows are drawn."""

    estimator: Estimator
    parameters: Mapping[str, Any]
    kinds: Sequence[str]
    classes: int
    missing: float
    seed: int

    @property
    def task(self) -> Task:
        return self.estimator.task

    @property
    def features(self) -> dict[str, str]:
        return {f"{kind}_{index}": kind for index, kind in enumerate(self.kinds)}

    def rows(self, count: int, seed: int) -> dict[str, Any]:
        """Draw rows by column: as data frames hold them, None or NaN where missing; of few different values, so that there are ties."""
        random = np.random.default_rng([self.seed, seed])
        return {name: _values(kind, count, self.missing, random) for name, kind in self.features.items()}

    def target(self, columns: Mapping[str, Any]) -> Any:
        """Draw what is to be predicted: a noisy sum of all columns; above zero, as some losses need it."""
        parts = [pd.Series(values).rank(method="dense", na_option="top").to_numpy() for values in columns.values()]
        signal = sum(part / part.max() for part in parts) + np.random.default_rng(self.seed).normal(0, 0.2, len(parts[0]))
        if self.task is Task.REGRESSION:
            return np.exp(np.asarray(signal)) * 1000
        bounds = np.quantile(signal, np.arange(1, self.classes) / self.classes)
        return np.array(["one", "two", "three", "four"])[np.digitize(np.asarray(signal), bounds)]


@st.composite
def declared(draw: st.DrawFn) -> Declared:
    """Draw a model."""
    estimator = draw(st.sampled_from(LISTED))
    parameters = _PARAMETERS[estimator.rsplit(".", 1)[-1]]
    chosen = draw(st.fixed_dictionaries({}, optional=dict(parameters)))
    kinds = draw(st.lists(st.sampled_from(sorted(DATATYPES)), min_size=1, max_size=5))
    return Declared(estimator, chosen, kinds, draw(st.integers(2, 4)), draw(st.sampled_from([0.0, 0.2])), draw(st.integers(0, 2**32 - 1)))


def _values(kind: str, count: int, missing: float, random: np.random.Generator) -> Any:
    gone = random.random(count) < missing
    if kind == "str":
        return _without(_TEXTS[np.minimum(random.geometric(0.35, count) - 1, 4)], gone)
    if kind == "bool":
        return _without((random.random(count) < 0.4).astype(object), gone)
    if kind == "int":
        return random.integers(-5, 1_000_000 if random.random() < 0.5 else 9, count)
    values = random.normal(0, 10.0 ** random.integers(-2, 5), count)
    values = values.round(1) if random.random() < 0.5 else values
    return np.where(gone, np.nan, values).astype(kind)


def _without(values: Any, gone: Any) -> Any:
    values[gone] = None
    return values


@dataclass(frozen=True)
class Packaged:
    """A packaged model: the data plane that serves it, and the pipeline that its bundle holds."""

    declared: Declared
    bundle: Bundle
    plane: DataPlane
    pipeline: Any

    def expected(self, columns: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """What scikit-learn itself says of rows: labels or numbers, and probabilities; by its own methods and a frame made here."""
        frame = pd.DataFrame(
            {
                name: pd.Series([("" if value is None else value) for value in columns[name]], dtype=object)
                if kind == "str"
                else pd.Series([np.nan if value is None else float(value) for value in columns[name]], dtype=np.float64)
                for name, kind in self.declared.features.items()
            }
        )
        predicted = self.pipeline.predict(frame)
        if self.declared.task is Task.REGRESSION:
            return predicted.tolist(), predicted.reshape(-1, 1)
        return [self.bundle.schema.classes[index] for index in predicted], self.pipeline.predict_proba(frame)

    def hostile(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Rows that lie at and next to the model's own thresholds, or have unknown categories."""
        numbers = [column.name for column in self.bundle.schema.features if column.type is not ColumnType.CATEGORY]
        hostile: dict[str, Any] = {
            name: np.where(np.arange(len(values)) % 3 == 0, "unknown category", values) if name not in numbers else values.copy()
            for name, values in columns.items()
        }
        for index, known in thresholds(self.pipeline[-1]).items():
            if index < len(numbers) and self.declared.features[numbers[index]].startswith("float"):
                values = hostile[numbers[index]]
                near = np.resize(np.concatenate([known, *(np.nextafter(known, end) for end in (-np.inf, np.inf))]), len(values))
                most = float(
                    np.finfo(np.float32).max
                )  # a split of missing values has an infinite threshold; the server takes no larger number
                hostile[numbers[index]] = np.clip(near, -most, most).astype(values.dtype)
        return hostile


def packaged(folder: Path, model: Declared, rows: int = 150) -> Packaged | str:
    """Train and package the model by the stages of a run; the reason where the trainer refuses."""
    columns = model.rows(rows, 0)
    types = [{"name": name, "type": TYPES[kind]} for name, kind in model.features.items()]
    regression = model.task is Task.REGRESSION
    run = Run(
        folder,
        data={"target": "truth", "time": None, "columns": [*types, {"name": "truth", "type": "number" if regression else "category"}]},
        training={
            "task": model.task.value,
            "trials": 1,
            "candidates": [{"name": "only", "estimator": model.estimator, "parameters": dict(model.parameters)}],
            "validation": {"folds": 2, "holdout": 0.3},
        },
        objective={"criteria": [{"metric": "rmse" if regression else "log_loss", "max": 1e9}], "slices": []},
    )
    run.write(pa.table({**{name: pa.array(values, from_pandas=True) for name, values in columns.items()}, "truth": model.target(columns)}))
    assert not (problems := run.prepare().problems), problems
    if failure := run.trial(0).failure:
        return failure
    result = run.package()
    if result.artifact is None:
        return result.problems[0].message
    bundle_folder = run.store / result.artifact.uri.removeprefix("pvc://store/flights/")
    bundle = open_bundle(bundle_folder, result.artifact.digest)
    served = ServedModel("x", "x-v1", bundle.schema, bundle.predictor, str(model.estimator), bundle.golden.tolerance)
    plane = DataPlane(served, Signer(bytes(32), "x-v1"), 1000)
    plane.warm_up(bundle.golden)
    file = bundle_folder / MODEL
    return Packaged(model, bundle, plane, skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file)))


def present(columns: Columns) -> dict[str, Any]:
    """The rows with nothing missing that bytes cannot tell: texts and booleans."""
    return {
        name: np.array([(False if "bool" in name else "") if value is None else value for value in values], dtype=object)
        if values.dtype == object
        else values
        for name, values in columns.items()
    }
