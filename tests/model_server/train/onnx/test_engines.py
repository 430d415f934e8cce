"""Every estimator of the contract: its pipeline is stored without forbidden types, and ONNX agrees with it or is not used."""

from pathlib import Path

import numpy as np
import onnxruntime
import orjson
import pytest
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType, Estimator
from mlmodel_contract.quality_metrics import Task
from model_server.bundle.engine import OnnxPredictor, SklearnPredictor, load_pipeline
from model_server.bundle.trusted import PROTOCOL, check_types
from model_server.bundle.write import pipeline_bytes
from model_server.train.data.training_rows import Floats, RunRows, TrainingRows
from model_server.train.fitting import fit
from model_server.train.golden_row_selection import golden_rows
from model_server.train.onnx import verified_onnx
from model_server.train.pipeline import build, for_serving, is_tree
from skops.io._protocol import PROTOCOL as SKOPS_PROTOCOL

pytestmark = pytest.mark.slow

FEATURES = [
    SchemaColumn(name="a", type=ColumnType.NUMBER),
    SchemaColumn(name="b", type=ColumnType.NUMBER),
    SchemaColumn(name="c", type=ColumnType.CATEGORY),
    SchemaColumn(name="d", type=ColumnType.BOOLEAN),
]
WITHOUT_ONNX = {
    Estimator.K_NEIGHBORS_CLASSIFIER,
    Estimator.K_NEIGHBORS_REGRESSOR,
    Estimator.GAUSSIAN_NB,
    Estimator.DUMMY_CLASSIFIER,
    Estimator.DUMMY_REGRESSOR,
}


def rows_for(task: Task, classes: int) -> RunRows:
    """300 rows to learn from and 200 to judge by, with values missing, rare and, in the latter, never seen."""
    random = np.random.default_rng(0)
    rows = 500
    a: Floats = random.normal(0, 1, rows).round(1)  # rounded: values equal to thresholds
    a[random.random(rows) < 0.1] = np.nan
    c = random.choice(np.array(["x", "y", "z", "rare", None], dtype=object), rows, p=[0.4, 0.3, 0.2, 0.02, 0.08])
    c[400:405] = "new"
    columns = {
        "a": a,
        "b": random.random(rows) * 1e6,
        "c": c,
        "d": np.where(random.random(rows) < 0.1, np.nan, random.integers(0, 2, rows)),
    }
    signal = np.nan_to_num(a) + (c == "x") + columns["b"] / 1e6 + random.normal(0, 0.5, rows)
    target = (
        signal * 1000
        if task is Task.REGRESSION
        else np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes)).astype(float)
    )
    schema = BundleSchema(
        task=task,
        features=FEATURES,
        target="t",
        target_type=ColumnType.NUMBER if task is Task.REGRESSION else ColumnType.CATEGORY,
        classes=[f"class {index}" for index in range(classes)] if task is Task.CLASSIFICATION else [],
    )
    whole = TrainingRows(columns, target)
    return RunRows(schema, whole.slice(0, 300), whole.slice(300, rows))


CASES = [
    pytest.param(estimator, classes, id=f"{estimator.rsplit('.', 1)[-1]}-{classes}")
    for estimator in Estimator
    for classes in ((2, 3) if estimator.task is Task.CLASSIFICATION else (0,))
]


@pytest.mark.parametrize(("estimator", "classes"), CASES)
def test_both_engines_predict_what_the_fitted_pipeline_does(tmp_path: Path, estimator: Estimator, classes: int) -> None:
    rows = rows_for(estimator.task, classes)
    small = (
        {"n_estimators": 10}
        if "Forest" in estimator or "ExtraTrees" in estimator or estimator.endswith(".GradientBoostingClassifier")
        else {}
    )
    pipeline = build(estimator, small, FEATURES, 0, 2)
    fit(pipeline, rows.train, rows)
    truth = SklearnPredictor(for_serving(pipeline), FEATURES)
    expected = truth.predict(rows.holdout.columns, len(rows.holdout))

    assert orjson.loads(orjson.dumps(expected, option=orjson.OPT_SERIALIZE_NUMPY)) == expected.tolist()  # as the monitor receives it

    file = tmp_path / "model.skops"
    file.write_bytes(pipeline_bytes(pipeline))
    check_types(file)
    assert np.array_equal(load_pipeline(file, FEATURES).predict(rows.holdout.columns, len(rows.holdout)), expected)

    golden = golden_rows(rows.schema, rows.holdout, truth)
    onnx = verified_onnx(pipeline, rows, truth, golden)
    assert (onnx is None) == (estimator in WITHOUT_ONNX)
    if onnx is not None:
        found = OnnxPredictor(onnx, FEATURES)
        predicted = found.predict(rows.holdout.columns, len(rows.holdout))
        assert predicted == pytest.approx(expected, abs=golden.tolerance, rel=0)
        assert found.predict(rows.holdout.slice(0, 1).columns, 1) == pytest.approx(expected[:1], abs=golden.tolerance, rel=0)
        if is_tree(estimator) and (classes == 0 or "Gradient" not in estimator):
            assert np.array_equal(predicted, expected)  # to the last bit: only a link may round in another way


def test_many_rows_are_computed_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_for(Task.CLASSIFICATION, 2)
    pipeline = build(Estimator.HIST_GRADIENT_BOOSTING_CLASSIFIER, {"max_iter": 5}, FEATURES, 0)
    fit(pipeline, rows.train, rows)
    many = {name: np.tile(values, 30) for name, values in rows.holdout.columns.items()}
    truth = SklearnPredictor(pipeline, FEATURES)
    onnx = verified_onnx(pipeline, rows, truth, golden_rows(rows.schema, rows.holdout, truth))
    assert onnx is not None
    sizes, run = [], onnxruntime.InferenceSession.run

    def counted(session: onnxruntime.InferenceSession, outputs: list[str], feed: dict[str, Floats]) -> list[Floats]:
        sizes.append(len(next(iter(feed.values()))))
        found: list[Floats] = run(session, outputs, feed)
        return found

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", counted)
    assert OnnxPredictor(onnx, FEATURES).predict(many, 6000) == pytest.approx(truth.predict(many, 6000), abs=1e-5)
    assert sum(sizes) == 6000
    assert max(sizes) <= 2048


def test_a_loss_without_onnx_form_is_served_by_scikit_learn(caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_for(Task.CLASSIFICATION, 2)
    pipeline = build(Estimator.GRADIENT_BOOSTING_CLASSIFIER, {"loss": "exponential", "n_estimators": 3}, FEATURES, 0)
    fit(pipeline, rows.train, rows)
    with caplog.at_level("INFO"):
        truth = SklearnPredictor(pipeline, FEATURES)
        assert verified_onnx(pipeline, rows, truth, golden_rows(rows.schema, rows.holdout, truth)) is None
    assert "computed by scikit-learn" in caplog.text


def test_onnx_that_differs_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_for(Task.CLASSIFICATION, 2)
    pipelines = [build(Estimator.LOGISTIC_REGRESSION, {"C": strength}, FEATURES, 0) for strength in (1.0, 1.1)]
    for pipeline in pipelines:
        fit(pipeline, rows.train, rows)
    with caplog.at_level("INFO"):
        truth = SklearnPredictor(pipelines[1], FEATURES)
        assert verified_onnx(pipelines[0], rows, truth, golden_rows(rows.schema, rows.holdout, truth)) is None
    assert "ONNX differs on holdout rows" in caplog.text


def test_our_protocol_is_that_of_the_installed_skops() -> None:
    assert PROTOCOL == SKOPS_PROTOCOL
