"""Trainer pods that die: the reason and the last line of the log are in the status, while it is tried again and at the end."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import JOB, POD

from tests.operator.support import players
from tests.operator.support.manifests import Body, fine, spec
from tests.operator.support.players import OUT_OF_MEMORY, TIMED_OUT, Ended, killed
from tests.operator.support.story import Story


def test_while_a_pod_is_tried_again_the_status_says_what_happened() -> None:
    story = Story()
    story.settle()
    job = players.job_of(story.world, 1, Stage.PREPARE)
    players.add_pod(story.world, job, OUT_OF_MEMORY)
    story.now = story.now.replace(minute=1)
    players.add_pod(story.world, job, killed("Traceback\nValueError: no rows\n"))
    players.add_pod(story.world, job, None)
    story.settle()

    assert story.run_state == "Running"
    assert "2 failed attempts" in story.progress
    assert story.progress.endswith("Error: ended with exit code 1; last line of its log: ValueError: no rows")
    assert story.progress in story.condition("Progressing").message


@pytest.mark.parametrize(
    ("endings", "condition", "told"),
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
def test_at_the_end_the_run_fails_with_the_reason(endings: list[Ended], condition: dict[str, str], told: str) -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    story.ends(Stage.TRAIN)
    players.fail(story.world, 1, Stage.PACKAGE, story.now, *endings, **condition)
    story.settle()

    assert story.run_state == "Failed"
    assert story.progress == f"Package: {told}"
    assert story.condition("Progressing").reason == "RunFailed"
    assert story.decisions == ["RunStarted", "RunFailed"]


def test_retries_and_timeout_are_the_jobs() -> None:
    story = Story(spec(training={"task": "Classification", "trials": 3, "parallelism": 2, "retries": 4, "timeout": "20m"}))
    story.settle()
    assert players.job_of(story.world, 1, Stage.PREPARE)["spec"]["backoffLimit"] == 4
    story.ends(Stage.PREPARE)
    train = players.job_of(story.world, 1, Stage.TRAIN)["spec"]
    assert (train["completionMode"], train["completions"], train["parallelism"], train["backoffLimitPerIndex"]) == ("Indexed", 3, 2, 4)
    assert train["template"]["spec"]["activeDeadlineSeconds"] == 1200
    every_attempt_of_two_rounds = 2 * (5 * (1200 + 5 + 30) + 10 + 20 + 40 + 80)
    assert train["activeDeadlineSeconds"] == every_attempt_of_two_rounds
    assert "backoffLimit" not in train


def test_some_trials_may_fail() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    players.fail(story.world, 1, Stage.TRAIN, story.now, OUT_OF_MEMORY, reason="FailedIndexes", succeeded=1)
    story.settle()
    assert story.run_state == "Running"
    assert story.world.names(JOB)[-1] == "late-r1-train"
    assert "late-r1-package" in story.world.names(JOB)


def test_when_all_trials_fail_the_run_does() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    players.fail(story.world, 1, Stage.TRAIN, story.now, OUT_OF_MEMORY, OUT_OF_MEMORY, reason="FailedIndexes")
    story.settle()
    assert story.run_state == "Failed"
    assert "Train: OOMKilled" in story.progress


def test_trials_done_are_counted() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    name = players.job_of(story.world, 1, Stage.TRAIN)["metadata"]["name"]
    story.world.change(JOB, name, lambda body: body.update(status={"succeeded": 1}))
    story.settle()
    assert story.progress == "Train: 1 of 2 trials done"


@pytest.mark.parametrize("message", ["", "no JSON", '{"stage": "Prepare", "unknown": 1}', fine(Stage.VERIFY, 1, None)[0]])
def test_a_result_that_cannot_be_read_is_waited_for_and_then_lost(message: str) -> None:
    story = Story()
    story.settle()
    players.complete(story.world, 1, Stage.PREPARE, [message], story.now)
    story.settle()
    assert story.run_state == "Running"
    story.wait(seconds=121)
    assert story.run_state == "Failed"
    assert "ResultLost" in story.progress


def test_a_result_of_a_stage_before_that_is_gone_fails_the_run_instead_of_making_nonsense() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    story.ends(Stage.TRAIN)
    story.ends(Stage.PACKAGE)
    for pod in [name for name in story.world.names(POD) if "package" in name]:
        story.world.remove(POD, pod)
    story.world.remove(JOB, "late-r1-verify")
    story.settle()
    assert story.run_state == "Failed"
    assert "ResultLost" in story.progress


NO_CLAIM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": 'persistentvolumeclaim "x" not found'}
NO_IMAGE = {"name": "trainer", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
STARTING = {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"conditions": [NO_CLAIM]}, '; late-r1-prepare-0 waits: Unschedulable: persistentvolumeclaim "x" not found'),
        ({"containerStatuses": [NO_IMAGE]}, "; late-r1-prepare-0 waits: ImagePullBackOff: no such image"),
        ({"containerStatuses": [STARTING]}, ""),
        ({}, ""),
    ],
)
def test_what_keeps_a_pod_from_starting_is_told_also_after_the_deadline(status: Body, told: str) -> None:
    story = Story()
    story.settle()
    job = players.job_of(story.world, 1, Stage.PREPARE)
    pod = players.add_pod(story.world, job, None)
    story.world.change(POD, pod, lambda body: body.update(status={"phase": "Pending"} | status))
    story.settle()
    assert story.progress == f"Prepare{told}"

    players.end_job(story.world, job, "FailureTarget", story.now, reason="DeadlineExceeded")
    story.world.remove(POD, pod)
    story.settle()
    players.end_job(story.world, job, "Failed", story.now, reason="DeadlineExceeded")
    story.settle()
    assert story.progress.startswith("Prepare: DeadlineExceeded: timed out after 10935 seconds")
    assert story.progress.endswith(told)


def test_a_job_that_somebody_deleted_is_made_again() -> None:
    story = Story()
    story.settle()
    story.world.remove(JOB, "late-r1-prepare")
    story.settle()
    assert story.world.names(JOB) == ["late-r1-prepare"]
    assert story.world.writes["create Job late-r1-prepare"] == 2


def test_a_pod_without_a_container_status_still_fails_with_a_sentence() -> None:
    story = Story()
    story.settle()
    players.fail(story.world, 1, Stage.PREPARE, story.now, killed())
    pod = story.world.names(POD)[0]
    story.world.change(POD, pod, lambda body: body.update(status={"phase": "Failed", "reason": "Evicted", "message": "low on memory"}))
    story.settle()
    assert story.progress == "Prepare: Evicted: low on memory"
    assert Ref(POD, pod) in story.world.objects
