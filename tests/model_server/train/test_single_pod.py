"""All stages in the pod of Prepare: the results are those of a pod for each stage, and a pod that died costs no result."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlmodel_contract.run import Competition, PackageResult, PrepareResult, ScoringResult, Stage, StageResult, TrialResult, VerifyResult
from mlmodel_contract.version import Recipe, RecipeRecord, VersionScore
from model_server.train import single_pod
from model_server.train.stage_work import StageWork

from tests.model_server.support.training_runs import Run, flights

pytestmark = pytest.mark.slow

ONE_TRIAL = {"trials": 1}


def run_with_rows(root: Path, **training: Any) -> Run:
    run = Run(root, training={**ONE_TRIAL, **training})
    run.write(flights(300))
    return run


def stages(results: list[StageResult]) -> list[str]:
    return [str(result.stage) for result in results]


def comparable(result: StageResult) -> StageResult:
    """The result without its cost, and without the bundle's digest, which no two bundles share."""
    same = result.replace(cpu_seconds=0.0)
    return same.replace(artifact=None) if isinstance(same, PackageResult) else same


def test_the_results_are_those_of_a_pod_for_each_stage(tmp_path: Path) -> None:
    whole, parts = run_with_rows(tmp_path / "whole"), run_with_rows(tmp_path / "parts")
    prepared, trial, package, verified = whole.single_pod()
    assert isinstance(package, PackageResult)
    assert package.artifact is not None
    assert all(result.cpu_seconds > 0 for result in (prepared, trial, package, verified))
    apart: list[StageResult] = [parts.prepare(), parts.trial(0), parts.package()]
    assert [comparable(result) for result in (prepared, trial, package)] == [comparable(result) for result in apart]
    assert comparable(verified) == comparable(whole.verify(package.artifact.wire()))


def test_its_libraries_compute_in_one_thread(tmp_path: Path) -> None:
    run = run_with_rows(tmp_path)
    work = "from model_server.train.command import run_stage; run_stage(); from threadpoolctl import threadpool_info"
    probe = f"{work}; pools = threadpool_info(); assert pools and all(pool['num_threads'] == 1 for pool in pools), pools"
    with run.process(Stage.PREPARE, singlePodFrom=0):
        settings = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        assert subprocess.run([sys.executable, "-c", probe], env=settings, check=False).returncode == 0


def test_what_is_verified_lies_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, package = run_with_rows(tmp_path), StageWork.package

    def spoilt(work: StageWork) -> PackageResult:
        made = package(work)
        (run.store / "versions/flights-v1/golden.json").write_text("{}")
        return made

    monkeypatch.setattr(StageWork, "package", spoilt)
    verified = run.single_pod()[-1]
    assert isinstance(verified, VerifyResult)
    assert [problem.check for problem in verified.problems] == ["FileDiffers"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"singlePodFrom": 301}, id="too few rows are new"),
        pytest.param({"singlePodFrom": None}, id="it may not"),
        pytest.param({"data": {"sources": [{"uri": "pvc://data/gone.parquet"}]}}, id="bad data"),
        pytest.param({"training": {"task": "Classification", "trials": 1, "timeout": "1ms"}}, id="half of the timeout is over"),
    ],
)
def test_it_stops_after_prepare(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = run_with_rows(tmp_path)
    whole = {
        name: run.document(Stage.PREPARE).get(name, {}) | value if isinstance(value, dict) else value for name, value in changes.items()
    }
    assert stages(run.single_pod(**whole)) == ["Prepare"]


def test_large_data_stops_after_prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_pod, "MOST_CELLS", 300 * 6 - 1)
    assert stages(run_with_rows(tmp_path).single_pod()) == ["Prepare"]


def test_a_run_whose_trials_all_fail_ends_with_the_reason(tmp_path: Path) -> None:
    wrong = {"name": "wrong", "estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"C": -1}}
    *_, package = run_with_rows(tmp_path, candidates=[wrong]).single_pod()
    assert isinstance(package, PackageResult)
    assert [problem.check for problem in package.problems] == ["TrialsFailed"]


@pytest.mark.parametrize(
    ("dies_in", "kept"),
    [("trial", ["Prepare"]), ("package", ["Prepare", "Train"]), ("verify", ["Prepare", "Train", "Package"])],
)
def test_the_pod_after_one_that_died_leaves_what_was_done_and_does_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str, kept: list[str]
) -> None:
    run = run_with_rows(tmp_path)

    def dies(*_: object) -> None:
        raise MemoryError("too much")

    monkeypatch.setattr(StageWork, dies_in, dies)
    with pytest.raises(MemoryError):
        run.single_pod()
    for name in ("prepare", "trial", "package", "verify"):
        monkeypatch.setattr(StageWork, name, dies)
    for _ in range(2):
        first, *others = run.single_pod()
        assert stages([first, *others]) == kept
        assert isinstance(first, PrepareResult)
        assert first.interrupted_in == {"trial": "Train", "package": "Package", "verify": "Verify"}[dies_in]
        assert first.new_rows == 300


def test_a_model_that_was_made_anew_takes_no_results_of_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with_rows(tmp_path)
    with monkeypatch.context() as dying:
        dying.setattr(StageWork, "package", lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            run.single_pod(time="2024-02-01T00:00:00Z")
    again = run.single_pod(time="2024-03-01T00:00:00Z")
    assert stages(again) == ["Prepare", "Train", "Package", "Verify"]
    assert isinstance(again[0], PrepareResult)
    assert again[0].interrupted_in is None


def test_what_does_not_fit_into_a_message_is_left_to_other_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = StageWork.trial

    def talkative(work: StageWork, index: int) -> TrialResult:
        return trial(work, 0).replace(index=index, failure=random.Random(index).randbytes(200).hex())  # can hardly be deflated

    monkeypatch.setattr(StageWork, "trial", talkative)
    assert stages(run_with_rows(tmp_path, trials=32).single_pod()) == ["Prepare"]


@pytest.mark.parametrize(("difference", "done"), [(-0.1, ["Prepare", "Scoring"]), (-0.01, ["Prepare", "Scoring", "Package", "Verify"])])
def test_where_an_earlier_version_seems_better_the_operator_decides_before_a_version_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, difference: float, done: list[str]
) -> None:
    score = VersionScore(version="flights-v0", value=0.4, difference=difference, variance=1e-4, rows=100)
    monkeypatch.setattr(StageWork, "scoring", lambda _work: ScoringResult(versions=[score]))
    recipe = Recipe(candidate="linear")
    competition = Competition(leader=recipe, records=[RecipeRecord(recipe=recipe)], rows_read=200)
    assert stages(run_with_rows(tmp_path).single_pod(competition=competition.wire())) == done
