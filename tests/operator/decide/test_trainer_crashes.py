"""Trainer pods that die: the reason and the last line of the log are in the status, while it is tried again and at the end."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import JOB, POD

from tests.operator.support import fake_controllers
from tests.operator.support.fake_controllers import OUT_OF_MEMORY, TIMED_OUT, ContainerEnd, killed
from tests.operator.support.manifests import Body, fine, spec
from tests.operator.support.model_lifecycle import ModelLifecycle


def test_while_a_pod_is_tried_again_the_status_says_what_happened() -> None:
    model = ModelLifecycle()
    model.settle()
    job = fake_controllers.job_of(model.api, 1, Stage.PREPARE)
    fake_controllers.add_pod(model.api, job, OUT_OF_MEMORY)
    model.now = model.now.replace(minute=1)
    fake_controllers.add_pod(model.api, job, killed("Traceback\nValueError: no rows\n"))
    fake_controllers.add_pod(model.api, job, None)
    model.settle()

    assert model.run_state == "Running"
    assert "2 failed attempts" in model.progress
    assert model.progress.endswith("Error: ended with exit code 1; last line of its log: ValueError: no rows")
    assert model.progress in model.condition("Progressing").message


@pytest.mark.parametrize(
    ("endings", "condition", "expected"),
    [
        (
            [OUT_OF_MEMORY],
            {},
            "OOMKilled: killed by its memory limit; raise training.resources.limits.memory; last line of its log: fitting boosted",
        ),
        ([killed("a\nb\n\n")], {}, "Error: ended with exit code 1; last line of its log: b"),
        ([killed("")], {}, "Error: ended with exit code 1"),
        ([TIMED_OUT], {}, "DeadlineExceeded: timed out; raise training.timeout; last line of its log: fold 1/3"),
        (
            [],
            {"reason": "DeadlineExceeded"},
            "DeadlineExceeded: timed out after 10935 seconds; raise training.timeout or lower training.trials",
        ),
        ([], {"message": "it has reached the limit"}, "BackoffLimitExceeded: it has reached the limit"),
    ],
)
def test_at_the_end_the_run_fails_with_the_reason(endings: list[ContainerEnd], condition: dict[str, str], expected: str) -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    model.ends(Stage.TRAIN)
    fake_controllers.fail(model.api, 1, Stage.PACKAGE, model.now, *endings, **condition)
    model.settle()

    assert model.run_state == "Failed"
    assert model.progress == f"Package: {expected}"
    assert model.condition("Progressing").reason == "RunFailed"
    assert model.decisions == ["RunStarted", "RunFailed"]


def test_retries_and_timeout_are_the_jobs() -> None:
    model = ModelLifecycle(spec(training={"task": "Classification", "trials": 3, "parallelism": 2, "retries": 4, "timeout": "20m"}))
    model.settle()
    assert fake_controllers.job_of(model.api, 1, Stage.PREPARE)["spec"]["backoffLimit"] == 4
    model.ends(Stage.PREPARE)
    train = fake_controllers.job_of(model.api, 1, Stage.TRAIN)["spec"]
    assert (train["completionMode"], train["completions"], train["parallelism"], train["backoffLimitPerIndex"]) == ("Indexed", 3, 2, 4)
    assert train["template"]["spec"]["activeDeadlineSeconds"] == 1200
    every_attempt_of_two_rounds = 2 * (5 * (1200 + 5 + 30) + 10 + 20 + 40 + 80)
    assert train["activeDeadlineSeconds"] == every_attempt_of_two_rounds
    assert "backoffLimit" not in train


def test_some_trials_may_fail() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    fake_controllers.fail(model.api, 1, Stage.TRAIN, model.now, OUT_OF_MEMORY, reason="FailedIndexes", succeeded=1)
    model.settle()
    assert model.run_state == "Running"
    assert model.api.names(JOB)[-1] == "late-r1-train"
    assert "late-r1-package" in model.api.names(JOB)


def test_when_all_trials_fail_the_run_does() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    fake_controllers.fail(model.api, 1, Stage.TRAIN, model.now, OUT_OF_MEMORY, OUT_OF_MEMORY, reason="FailedIndexes")
    model.settle()
    assert model.run_state == "Failed"
    assert "Train: OOMKilled" in model.progress


def test_trials_done_are_counted() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    name = fake_controllers.job_of(model.api, 1, Stage.TRAIN)["metadata"]["name"]
    model.api.change(JOB, name, lambda body: body.update(status={"succeeded": 1}))
    model.settle()
    assert model.progress == "Train: 1 of 2 trials done"


@pytest.mark.parametrize("message", ["", "no JSON", '{"stage": "Prepare", "unknown": 1}', fine(Stage.VERIFY, 1, None)[0]])
def test_a_result_that_cannot_be_read_is_waited_for_and_then_lost(message: str) -> None:
    model = ModelLifecycle()
    model.settle()
    fake_controllers.complete(model.api, 1, Stage.PREPARE, [message], model.now)
    model.settle()
    assert model.run_state == "Running"
    model.wait(seconds=121)
    assert model.run_state == "Failed"
    assert "ResultLost" in model.progress


def test_a_result_of_a_stage_before_that_is_gone_fails_the_run_instead_of_making_nonsense() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    model.ends(Stage.TRAIN)
    model.ends(Stage.PACKAGE)
    for pod in [name for name in model.api.names(POD) if "package" in name]:
        model.api.remove(POD, pod)
    model.api.remove(JOB, "late-r1-verify")
    model.settle()
    assert model.run_state == "Failed"
    assert "ResultLost" in model.progress


NO_CLAIM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": 'persistentvolumeclaim "x" not found'}
NO_IMAGE = {"name": "trainer", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
STARTING = {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"conditions": [NO_CLAIM]}, '; late-r1-prepare-0 waits: Unschedulable: persistentvolumeclaim "x" not found'),
        ({"containerStatuses": [NO_IMAGE]}, "; late-r1-prepare-0 waits: ImagePullBackOff: no such image"),
        ({"containerStatuses": [STARTING]}, ""),
        ({}, ""),
    ],
)
def test_what_keeps_a_pod_from_starting_is_reported_also_after_the_deadline(status: Body, expected: str) -> None:
    model = ModelLifecycle()
    model.settle()
    job = fake_controllers.job_of(model.api, 1, Stage.PREPARE)
    pod = fake_controllers.add_pod(model.api, job, None)
    model.api.change(POD, pod, lambda body: body.update(status={"phase": "Pending"} | status))
    model.settle()
    assert model.progress == f"Prepare{expected}"

    fake_controllers.end_job(model.api, job, "FailureTarget", model.now, reason="DeadlineExceeded")
    model.api.remove(POD, pod)
    model.settle()
    fake_controllers.end_job(model.api, job, "Failed", model.now, reason="DeadlineExceeded")
    model.settle()
    assert model.progress.startswith("Prepare: DeadlineExceeded: timed out after 10935 seconds")
    assert model.progress.endswith(expected)


def test_a_job_that_somebody_deleted_is_made_again() -> None:
    model = ModelLifecycle()
    model.settle()
    model.api.remove(JOB, "late-r1-prepare")
    model.settle()
    assert model.api.names(JOB) == ["late-r1-prepare"]
    assert model.api.writes["create Job late-r1-prepare"] == 2


def test_a_pod_without_a_container_status_still_fails_with_a_sentence() -> None:
    model = ModelLifecycle()
    model.settle()
    fake_controllers.fail(model.api, 1, Stage.PREPARE, model.now, killed())
    pod = model.api.names(POD)[0]
    model.api.change(POD, pod, lambda body: body.update(status={"phase": "Failed", "reason": "Evicted", "message": "low on memory"}))
    model.settle()
    assert model.progress == "Prepare: Evicted: low on memory"
    assert Ref(POD, pod) in model.api.objects
