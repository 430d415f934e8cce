"""A run whose stages are all done by the pod of Prepare: the same statuses, decisions and versions as with a pod for each."""

import pytest
from mlmodel_contract.run import MESSAGE_LIMIT, PrepareResult, RunDocument, Stage, StageResult
from mlmodel_contract.stage_results import pack_results
from mlmodel_contract.version import VersionScore
from mlmodel_operator.cluster.kinds import JOB

from tests.operator.support import fake_controllers
from tests.operator.support.fake_controllers import OUT_OF_MEMORY, job_of
from tests.operator.support.manifests import Body, group, packaged, prepared, records, scored, spec, trial, verified
from tests.operator.support.model_lifecycle import ModelLifecycle

NEW_ROWS = prepared(rows=1200, new=200, end="2024-04-10T00:00:00Z")
WHOLE: list[StageResult] = [prepared(), trial(0), trial(1), packaged(), verified()]


def leaves(model: ModelLifecycle, *results: StageResult) -> None:
    """Let the pod of Prepare end well with these results."""
    fake_controllers.complete(model.api, model.run_number, Stage.PREPARE, [pack_results(results)], model.now)
    model.settle()


def begun(parts: Body | None = None) -> ModelLifecycle:
    model = ModelLifecycle(parts)
    model.settle()
    return model


def may_go_on_from(model: ModelLifecycle) -> int | None:
    job = job_of(model.api, model.run_number, Stage.PREPARE)
    container = job["spec"]["template"]["spec"]["containers"][0]
    return RunDocument.model_validate_json(container["env"][0]["value"]).single_pod_from


def test_a_run_needs_one_job_and_ends_as_with_one_for_each_stage() -> None:
    whole, parts = begun(), begun()
    leaves(whole, *(result.replace(cpu_seconds=1.5) for result in WHOLE))
    parts.run_through()
    assert whole.api.names(JOB) == ["late-r1-prepare"]
    assert whole.run_state == parts.run_state == "Succeeded"
    assert whole.decisions == parts.decisions
    assert whole.progress == parts.progress
    assert whole.version(1).replace(cpu_seconds=0.0) == parts.version(1)
    assert whole.status.run is not None
    assert whole.status.run.cpu_seconds == 7.5
    whole.ready("late-v1")
    assert whole.live == "late-v1"


def test_a_long_message_is_deflated_and_read() -> None:
    slices = [group("carrier", f"{index:02}", 100, 0.7) for index in range(40)]
    results = [*WHOLE[:3], packaged(slices=slices), verified()]
    assert not pack_results(results).startswith("[")
    assert len(pack_results(results)) <= MESSAGE_LIMIT
    model = begun()
    leaves(model, *results)
    assert model.run_state == "Succeeded"
    assert len(model.version(1).slices) > 1


@pytest.mark.parametrize(("done", "job"), [(1, "train"), (3, "package"), (4, "verify")])
def test_the_stages_that_are_missing_have_jobs(done: int, job: str) -> None:
    model = begun()
    leaves(model, *WHOLE[:done])
    assert model.api.names(JOB) == sorted(["late-r1-prepare", f"late-r1-{job}"])
    assert model.decisions == ["RunStarted"]
    for stage in (Stage.TRAIN, Stage.PACKAGE, Stage.VERIFY)[("train", "package", "verify").index(job) :]:
        model.ends(stage)
    assert model.run_state == "Succeeded"


def test_a_pod_that_died_is_told_of_and_the_other_stages_have_jobs() -> None:
    model = begun()
    fake_controllers.add_pod(model.api, job_of(model.api, 1, Stage.PREPARE), OUT_OF_MEMORY)
    model.now = model.now.replace(minute=1)
    result = prepared()
    assert isinstance(result, PrepareResult)
    leaves(model, result.replace(interrupted_in=Stage.PACKAGE), trial(0), trial(1))
    assert model.api.names(JOB) == ["late-r1-package", "late-r1-prepare"]
    assert model.decisions == ["RunStarted", "SinglePodDied"]
    note = model.api.events[-1]["note"]
    assert note.startswith("run 1: the pod that did all stages died in Package: OOMKilled: killed by its memory limit")
    assert note.endswith("from there on each stage runs in a pod of its own")
    model.ends(Stage.PACKAGE)
    model.ends(Stage.VERIFY)
    assert model.run_state == "Succeeded"


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        pytest.param({}, 0, id="a first run"),
        pytest.param({"parallelism": 2}, None, id="trials at once"),
        pytest.param({"trials": 16}, 0, id="as many trials as fit"),
        pytest.param({"trials": 17}, None, id="many trials"),
    ],
)
def test_whether_a_first_run_may_go_on(training: Body, expected: int | None) -> None:
    assert may_go_on_from(begun(spec(training={"task": "Classification", "trials": 2} | training))) == expected


def test_a_later_run_goes_on_where_enough_rows_are_new() -> None:
    model = begun(spec(training={"task": "Classification", "trials": 2, "parallelism": 2}))
    model.go_live(packaged(competing=records()))
    model.annotate(retrain="now")
    assert may_go_on_from(model) == 50


def test_the_other_stages_may_not_go_on() -> None:
    model = begun()
    model.ends(Stage.PREPARE)
    train = job_of(model.api, 1, Stage.TRAIN)["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    assert RunDocument.model_validate_json(train).single_pod_from is None


@pytest.mark.parametrize(("parallelism", "expected"), [(1, 1), (2, 0)])
def test_without_retries_the_results_of_a_pod_that_died_are_still_fetched(parallelism: int, expected: int) -> None:
    model = begun(spec(training={"task": "Classification", "trials": 2, "retries": 0, "parallelism": parallelism}))
    assert job_of(model.api, 1, Stage.PREPARE)["spec"]["backoffLimit"] == expected


def test_an_earlier_version_comes_back_although_a_new_one_was_packaged_meanwhile() -> None:
    model = begun()
    model.go_live(packaged(competing=records()))
    model.annotate(retrain="second")
    leaves(model, NEW_ROWS, trial(0), scored(), packaged(2, against="late-v1", competing=records()), verified())
    model.ready("late-v2")
    model.annotate(retrain="third")
    back = VersionScore(version="late-v1", value=0.3, difference=-0.2, variance=1e-4, rows=200)
    package = packaged(3, against="late-v2", competing=records()).replace(cpu_seconds=2.0)
    leaves(model, NEW_ROWS, trial(0, 0.45), scored(0.5, back), package, verified())
    assert (model.run_state, model.api.names(JOB)) == ("Returned", ["late-r3-prepare"])
    assert model.status.run is not None
    assert model.status.run.cpu_seconds == 2.0
    model.ready("late-v1")
    assert model.live == "late-v1"
