"""The four models of the benchmark, trained and packaged by the trainer's own stages; the same fitted estimators as joblib for the peers.

Not here: what is sent to them.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mlmodel_contract import VERSION, environment
from mlmodel_contract.bundle import MODEL
from mlmodel_contract.manifest import Estimator
from mlmodel_contract.run import Stage
from mlmodel_contract.version import Artifact
from model_server.train.command import run_stage

Columns = dict[str, list[Any]]
"""By name: floats, or texts."""

_TRAINED_ROWS = 4_000
_WORDS = [f"word-{index}" for index in range(8)]
_START = np.datetime64("2024-01-01T00:00:00", "us")
_SAME = 1e-9


@dataclass(frozen=True)
class Kind:
    """A kind of model: its estimator, and how many columns of numbers and of categories it takes."""

    name: str
    estimator: Estimator
    numbers: int
    categories: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)

    def draw(self, rows: int, seed: int) -> Columns:
        """Return rows that the model could have been trained on."""
        random = np.random.default_rng(seed)
        numbers: Columns = {f"n{index}": random.normal(size=rows).round(4).tolist() for index in range(self.numbers)}
        return {**numbers, **{f"c{index}": random.choice(_WORDS, rows).tolist() for index in range(self.categories)}}


KINDS = (
    Kind("m1", Estimator.LOGISTIC_REGRESSION, 30),
    Kind("m2", Estimator.HIST_GRADIENT_BOOSTING_CLASSIFIER, 30, parameters={"max_iter": 100}),
    Kind("m3", Estimator.RANDOM_FOREST_CLASSIFIER, 30, parameters={"n_estimators": 200}),
    Kind("m4", Estimator.LOGISTIC_REGRESSION, 8, 4),
)


@dataclass(frozen=True)
class Trained:
    """A model as it is served: its bundle, what computes it, and the estimator that peers are given, which the file ``peers`` holds."""

    kind: Kind
    bundle: Path
    artifact: Artifact
    engine: str
    peers: Path
    estimator: Any

    def expected(self, rows: Columns) -> Any:
        """Return the probabilities that scikit-learn gives, rows x classes."""
        return self.estimator.predict_proba(as_input(rows))


def as_input(rows: Columns) -> Any:
    """Return rows as the estimators of the peers expect them: a matrix where all are numbers, else a frame."""
    import pandas as pd

    texts = any(isinstance(values[0], str) for values in rows.values())
    return pd.DataFrame(rows) if texts else np.column_stack(list(rows.values()))


def train(kind: Kind, root: Path) -> Trained:
    """Run the stages of one run in this process, below ``root``.

    Raises:
        RuntimeError: a stage failed; the message ends with what it left.

    """
    claims = root / environment.PATH_STORE.removeprefix("/")
    for folder in (claims / "data", claims / "store", root / "dev"):
        folder.mkdir(parents=True)
    _write(kind, claims / "data/rows.parquet")
    for stage in (Stage.PREPARE, Stage.TRAIN, Stage.PACKAGE):
        result = _stage(kind, root, stage)
    artifact = Artifact.model_validate(result["artifact"])
    bundle = claims / artifact.uri.removeprefix("pvc://")
    estimator = _for_peers(bundle / MODEL, kind)
    return Trained(kind, bundle, artifact, result["engine"], _saved(estimator, root), estimator)


def _write(kind: Kind, file: Path) -> None:
    """Write rows an hour apart, whose label depends on every column, with noise."""
    columns, random = kind.draw(_TRAINED_ROWS, 0), np.random.default_rng(1)
    effects = [np.array(_codes(values)) * random.normal() for values in columns.values()]
    label = random.random(_TRAINED_ROWS) < 1 / (1 + np.exp(-sum(effects)))
    times = pa.array(_START + np.arange(_TRAINED_ROWS) * np.timedelta64(3600, "s"), pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"at": times, "label": label, **columns}), file)


def _codes(values: list[Any]) -> list[float]:
    return [_WORDS.index(value) / len(_WORDS) if isinstance(value, str) else value for value in values]


def _stage(kind: Kind, root: Path, stage: Stage) -> dict[str, Any]:
    message = root / environment.PATH_TERMINATION.removeprefix("/")
    message.write_text("")
    settings = {"MLMODEL_ROOT": str(root), environment.ENV_RUN: json.dumps(_document(kind, stage)), environment.ENV_INDEX: "0"}
    with patch.dict(os.environ, settings):
        code = run_stage()
    result: dict[str, Any] = json.loads(message.read_text() or "{}")
    if code or not result or result.get("problems") or result.get("failure"):
        raise RuntimeError(f"{kind.name} could not be trained, the stage {stage} left: {result}")
    return result


def _document(kind: Kind, stage: Stage) -> dict[str, Any]:
    columns = [{"name": name, "type": "category" if name.startswith("c") else "number"} for name in kind.draw(1, 0)]
    candidate = {"name": kind.name, "estimator": kind.estimator, "parameters": kind.parameters}
    return {
        "contract": VERSION,
        "namespace": "default",
        "model": kind.name,
        "run": 1,
        "reason": "Initial",
        "stage": stage,
        "store": f"pvc://store/{kind.name}",
        "objective": {"criteria": [{"metric": "roc_auc", "min": 0.5}]},
        "data": {
            "sources": [{"uri": "pvc://data/*.parquet"}],
            "target": "label",
            "time": "at",
            "columns": [{"name": "at", "type": "time"}, {"name": "label", "type": "boolean"}, *columns],
        },
        "training": {"task": "Classification", "trials": 1, "candidates": [candidate]},
    }


def _for_peers(file: Path, kind: Kind) -> Any:
    """Return the fitted estimator without what only the trainer needs: peers are not to pay for values that are never missing.

    A model of numbers alone takes a matrix, which costs a peer less than a frame.
    """
    import skops.io

    pipeline = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    rows = kind.draw(200, 2)
    before = pipeline.predict_proba(_frame(rows))
    reduced = _reduced(pipeline, kind)
    if not np.allclose(before, reduced.predict_proba(as_input(rows)), atol=_SAME, rtol=0):
        raise RuntimeError(f"the estimator of {kind.name} for peers does not predict as the trained one does")
    return reduced


def _reduced(pipeline: Any, kind: Kind) -> Any:
    from sklearn.pipeline import make_pipeline

    transformer, model = pipeline[0], pipeline[-1]
    if hasattr(model, "_feature_subsample_rng"):
        model._feature_subsample_rng = None  # of fitting alone, and an older numpy cannot load it
    parts = {name: (part, columns) for name, part, columns in transformer.transformers_}
    numbers = parts["numbers"][0]
    scaler: Any = numbers[-1] if hasattr(numbers, "steps") else None
    if kind.categories:
        scaler.feature_names_in_ = np.array(parts["numbers"][1], dtype=object)  # or each prediction would warn
        transformer.transformers_ = [("numbers", scaler, parts["numbers"][1]), *transformer.transformers_[1:]]
        return pipeline
    return model if scaler is None else make_pipeline(scaler, model)


def _frame(rows: Columns) -> Any:
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values, dtype=object if isinstance(values[0], str) else float) for name, values in rows.items()})


def _saved(estimator: Any, root: Path) -> Path:
    import joblib

    file = root / "peers/model.joblib"
    file.parent.mkdir()
    joblib.dump(estimator, file)
    return file
