"""A run from its first stage to its last, and what the later stages do where something is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlmodel_contract.bundle import MODEL, MODEL_ONNX, SCHEMA, BundleSchema
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import MESSAGE_LIMIT, PackageResult, Stage
from mlmodel_contract.stage_results import pack_results
from mlmodel_contract.version import SliceMetrics
from model_server.bundle.read import open_bundle
from model_server.train.command import run_stage
from model_server.train.result_message import shortened

from tests.model_server.support.training_runs import COLUMNS, Run, flights

pytestmark = pytest.mark.slow

SLICES = {"slices": [{"column": "carrier", "minRows": 20}, {"column": "holiday", "minRows": 20}]}


def trained(root: Path, number: int = 1, **changes: Any) -> tuple[Run, PackageResult]:
    """A run whose first three stages were done."""
    run = Run(root, number=number, **changes)
    run.write(flights(1000))
    assert run.prepare().problems == []
    for index in range(run.training.get("trials", 2)):
        assert run.trial(index).failure is None
    return run, run.package()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, PackageResult]:
    return trained(tmp_path_factory.mktemp("run"), objective=SLICES)


def bundle_of(run: Run, version: str = "flights-v1") -> Path:
    return run.store / "versions" / version


def test_a_version_is_packaged_with_its_figures(made: tuple[Run, PackageResult]) -> None:
    run, result = made
    assert result.problems == []
    assert result.artifact is not None
    assert result.artifact.uri == "pvc://store/flights/versions/flights-v1"
    assert result.metrics is not None
    assert result.metrics.roc_auc is not None
    assert result.metrics.roc_auc.low < result.metrics.roc_auc.value < result.metrics.roc_auc.high
    assert result.metrics.roc_auc.value > 0.6
    assert result.comparison is None
    assert {(group.column, group.value) for group in result.slices} >= {("carrier", "AA"), ("holiday", "false")}
    assert set(result.slices[0].metrics) == {Metric.ROC_AUC, Metric.LOG_LOSS}
    schema = BundleSchema.model_validate_json((bundle_of(run) / SCHEMA).read_bytes())
    assert {(group.column, group.value) for group in schema.slices} >= {("carrier", "AA"), ("holiday", False)}


def test_the_bundle_serves_what_the_pipeline_says(made: tuple[Run, PackageResult]) -> None:
    run, result = made
    assert result.artifact is not None
    bundle = open_bundle(bundle_of(run), result.artifact.digest)
    assert bundle.schema.classes == [False, True]
    assert [column.name for column in bundle.schema.features] == ["wind", "temp", "carrier", "holiday"]
    assert bundle.manifest.engine == result.engine == "onnxruntime"
    assert {MODEL, MODEL_ONNX} <= bundle.manifest.files.keys()
    assert any(None in row.values() for row in bundle.golden.rows)
    assert bundle.profile.features[-1].name == "prediction"
    assert sum(bundle.profile.features[-1].counts) == 200  # those of the holdout, which this very model never saw
    assert bundle.profile.loss.rows == 200


def test_the_bundle_is_verified(made: tuple[Run, PackageResult]) -> None:
    run, result = made
    assert result.artifact is not None
    verified = run.verify(result.artifact.wire())
    assert verified.problems == []
    assert (verified.estimator, verified.engine, verified.metrics) == (result.estimator, result.engine, result.metrics)


def test_a_changed_bundle_is_refused_by_verify(made: tuple[Run, PackageResult]) -> None:
    run, result = made
    assert result.artifact is not None
    (problem,) = run.verify(result.artifact.wire() | {"digest": "sha256:" + "0" * 64}).problems
    assert problem.check == "DigestDiffers"
    (problem,) = run.verify(result.artifact.wire() | {"uri": "pvc://store/elsewhere"}).problems
    assert problem.check == "SourceMissing"


def test_a_trial_that_is_done_again_says_the_same(made: tuple[Run, PackageResult]) -> None:
    run, _ = made
    before = (run.store / "runs/1/trials/1.json").read_bytes()
    run.trial(1)
    assert (run.store / "runs/1/trials/1.json").read_bytes() == before


def test_the_champion_is_judged_on_the_same_rows(tmp_path: Path) -> None:
    judged = {"validation": {"refit": False}}  # else the champion has learnt from those that judge
    _, result = trained(tmp_path, training=judged)
    assert result.artifact is not None
    champion = {"champion": result.artifact.wire(), "championVersion": "flights-v1"}
    _, second = trained(tmp_path, number=2, extra=champion, training=judged)
    assert second.comparison is not None
    assert second.comparison.champion == "flights-v1"
    assert second.comparison.metrics.roc_auc == pytest.approx(second.metrics.roc_auc if second.metrics else None)
    assert abs(second.comparison.difference.value) < 1e-6  # the same rows give the same model


def test_a_champion_of_an_earlier_spec_is_not_compared_with(made: tuple[Run, PackageResult]) -> None:
    """Else a model whose columns have changed could never be trained anew."""
    first, result = made
    assert result.artifact is not None
    champion = {"champion": result.artifact.wire(), "championVersion": "flights-v1"}
    columns = [column for column in COLUMNS if column["name"] != "temp"]
    _, second = trained(first.root, number=4, data={"columns": columns}, training={"trials": 1}, extra=champion)
    assert (second.problems, second.comparison) == ([], None)
    assert second.artifact is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"extra": {"uri": "pvc://store/gone"}}, "does not exist", id="bundle gone"),
        pytest.param({"extra": {"digest": "sha256:" + "0" * 64}}, "digest", id="bundle changed"),
    ],
)
def test_a_champion_that_cannot_be_judged_is_a_problem(made: tuple[Run, PackageResult], changes: dict[str, Any], words: str) -> None:
    first, result = made
    assert result.artifact is not None
    artifact = result.artifact.wire() | changes.get("extra", {})
    extra = {"champion": artifact, "championVersion": "flights-v1"}
    _, second = trained(first.root, number=3, training={"trials": 1}, extra=extra)
    assert [problem.check for problem in second.problems] == ["ChampionUnreadable"]
    assert words in second.problems[0].message
    assert second.artifact is None


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        pytest.param({"estimator": "sklearn.linear_model.Ridge", "parameters": {"beta": 1}}, "has no parameter 'beta'", id="unknown"),
        pytest.param({"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"C": -1}}, "'C'", id="value"),
        pytest.param({"estimator": "sklearn.linear_model.SGDClassifier", "parameters": {"loss": "hinge"}}, "no probabilities", id="loss"),
    ],
)
def test_parameters_that_do_not_fit_fail_the_trial_and_not_the_run(tmp_path: Path, candidate: dict[str, Any], words: str) -> None:
    run = Run(tmp_path, training={"candidates": [{"name": "wrong"} | candidate], "trials": 2})
    run.write(flights(300))
    run.prepare()
    failed = run.trial(0)
    assert failed.score is None
    assert words in (failed.failure or "")
    assert "'wrong'" in (failed.failure or "")
    assert "nothing left to try" in (run.trial(1).failure or "")
    (problem,) = run.package().problems
    assert problem.check == "TrialsFailed"
    assert words in problem.message


def test_as_few_rows_as_the_checks_let_pass_are_enough(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write(flights(100))
    assert run.prepare().problems == []
    for index in range(2):
        assert run.trial(index).failure is None
    assert run.package().artifact is not None


def test_a_trial_whose_pod_died_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write(flights(300))
    run.prepare()
    run.trial(1)
    assert run.package().candidate == "boosted"


def test_numbers_are_predicted_too(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        data={"target": "temp", "columns": [column for column in COLUMNS if column["name"] != "late"]},
        training={"task": "Regression"},
        objective={"criteria": [{"metric": "rmse", "max": 100}], "slices": []},
    )
    run.write(flights(500))
    run.prepare()
    for index in range(2):
        run.trial(index)
    result = run.package()
    assert result.metrics is not None
    assert result.metrics.rmse is not None
    assert result.metrics.rmse.value == pytest.approx(8, abs=2)
    assert result.artifact is not None
    assert run.verify(result.artifact.wire()).problems == []
    golden = open_bundle(bundle_of(run), result.artifact.digest).golden
    assert golden.tolerance == pytest.approx(1e-9 * np.abs(golden.predictions).max())


def test_classes_of_text_are_predicted_too(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        data={"target": "carrier"},
        objective={"criteria": [{"metric": "log_loss", "max": 2}]},
        training={
            "selectBy": "accuracy",
            "trials": 1,
            "candidates": [{"name": "k", "estimator": "sklearn.neighbors.KNeighborsClassifier"}],
        },
    )
    run.write(flights(300))
    run.prepare()
    run.trial(0)
    result = run.package()
    assert result.engine == "scikit-learn"
    assert result.artifact is not None
    assert run.verify(result.artifact.wire()).problems == []
    bundle = open_bundle(bundle_of(run), result.artifact.digest)
    assert bundle.schema.classes == ["AA", "B6", "UA"]
    assert np.array(bundle.golden.predictions).shape == (len(bundle.golden.rows), 3)


def test_the_message_is_never_too_long_and_keeps_what_matters(made: tuple[Run, PackageResult]) -> None:
    _, result = made
    group = SliceMetrics(column="x" * 63, value="ü" * 100, rows=1, metrics={Metric.ROC_AUC: 0.123456789, Metric.LOG_LOSS: 0.5})
    long = result.model_copy(update={"slices": [group] * 40, "parameters": {f"parameter_{i}": "1" * 50 for i in range(16)}})
    kept = shortened(long)
    assert len(pack_results([kept]).encode()) <= MESSAGE_LIMIT
    assert 0 < len(kept.slices) < 40
    assert (kept.metrics, kept.artifact, kept.parameters) == (long.metrics, long.artifact, long.parameters)


def test_a_store_that_cannot_be_used_is_a_crash_with_a_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = Run(tmp_path)
    with run.process(Stage.TRAIN):
        assert run_stage() == 1
    assert "'pvc://store/flights/runs/1/train.parquet' does not exist" in caplog.text


def test_trials_are_kept_as_json(made: tuple[Run, PackageResult]) -> None:
    run, _ = made
    kept = json.loads((run.store / "runs/1/trials/0.json").read_text())
    assert kept["candidate"] == "linear"
