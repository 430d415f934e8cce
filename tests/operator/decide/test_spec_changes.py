"""The spec is edited, or suspended, at any time."""

from typing import Any

import pytest
from mlmodel_contract.environment import ENV_POD
from mlmodel_contract.manifest import BatcherSettings, RequestLimits, ServerSettings, Tracing
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, MODEL_VERSION

from tests.operator.support.manifests import packaged, prepared, spec
from tests.operator.support.story import Story
from tests.operator.support.world import copied

OTHER_TRAINING = {"task": "Classification", "trials": 2, "selectBy": "log_loss"}


def test_a_run_is_cancelled_when_what_it_learns_from_changes_and_the_next_starts_at_once() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    story.edit(training=OTHER_TRAINING)

    assert (story.run_number, story.run_state) == (2, "Running")
    assert story.status.run is not None
    assert story.status.run.reason == "SpecChanged"
    assert story.decisions == ["RunStarted", "RunCancelled", "RunStarted"]
    assert story.world.names(JOB) == ["late-r2-prepare"]


@pytest.mark.parametrize(
    "parts",
    [
        {"monitoring": {"falseAlarmProbability": 0.05}},
        {"retraining": {"cooldown": "2h"}},
        {"training": {"task": "Classification", "trials": 2, "timeout": "2h", "retries": 1, "parallelism": 2}},
        {"objective": {"criteria": [{"metric": "roc_auc", "min": 0.7}], "description": "Warn early.", "owner": "operations"}},
        {"serving": {"replicas": 2}},
    ],
)
def test_other_parts_cancel_and_start_nothing(parts: dict[str, object]) -> None:
    story = Story()
    story.settle()
    story.edit(**parts)
    assert story.decisions == ["RunStarted"]
    assert story.status.observed_generation == 2


def test_a_changed_spec_trains_a_version_that_need_not_beat_the_old_one() -> None:
    story = Story()
    story.go_live()
    story.edit(training=OTHER_TRAINING)
    assert story.status.run is not None
    assert (story.status.run.reason, story.status.run.champion) == ("SpecChanged", None)
    story.run_through()
    story.ready("late-v2")
    assert story.live == "late-v2"


def test_a_changed_spec_knows_no_cooldown() -> None:
    story = Story()
    story.go_live()
    assert story.condition("RetrainingPaused").reason == "CoolingDown"
    story.edit(training=OTHER_TRAINING)
    assert story.run_number == 2


def test_suspend_stops_a_run_and_leaves_serving_alone() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="now")
    story.edit(suspend=True)

    assert story.run_state == "Cancelled"
    assert story.world.names(JOB) == []
    assert story.live == story.traffic == "late-v1"
    assert Ref(DEPLOYMENT, "late-v1") in story.world.objects
    assert story.condition("RetrainingPaused").reason == "Suspended"
    story.wait(days=3)
    assert story.run_number == 2


def test_suspended_from_the_start_nothing_begins() -> None:
    story = Story(spec(suspend=True))
    story.settle()
    assert story.status.run is None
    assert story.world.names(JOB) == []
    story.edit(suspend=None)
    assert story.run_number == 1


@pytest.mark.parametrize("reason", ["Manual", "SpecChanged"])
def test_what_suspension_cancelled_is_begun_again_after_it(reason: str) -> None:
    story = Story()
    story.go_live()
    if reason == "Manual":
        story.annotate(retrain="now")
    else:
        story.edit(training=OTHER_TRAINING)
    story.edit(suspend=True)
    story.edit(suspend=None)
    assert (story.run_number, story.run_state) == (3, "Running")
    assert story.status.run is not None
    assert story.status.run.reason == reason


def test_a_changed_spec_whose_run_failed_is_tried_again() -> None:
    """Else the old version would serve for ever what nobody declares any more."""
    story = Story()
    story.go_live()
    story.edit(training=OTHER_TRAINING)
    story.ends(Stage.PREPARE, prepared("SourceMissing"))
    story.wait(hours=1)
    assert (story.run_number, story.run_state) == (3, "Running")
    assert story.status.run is not None
    assert story.status.run.champion is None


def champion(story: Story) -> str | None:
    assert story.status.run is not None
    return story.status.run.champion


def test_no_run_has_to_beat_a_version_of_an_earlier_spec() -> None:
    """Whatever became of the run before: the two may not even predict the same."""
    story = Story()
    story.go_live()
    story.edit(training=OTHER_TRAINING)
    story.run_through(packaged(2, roc_auc=0.5))
    assert (story.run_state, story.live) == ("Rejected", "late-v1")
    story.annotate(retrain="now")
    assert (story.run_number, champion(story)) == (3, None)
    story.run_through(packaged(3, roc_auc=0.5))
    story.wait(hours=1)
    assert (story.run_number, champion(story)) == (4, None)
    story.run_through()
    story.ready("late-v4")
    story.annotate(retrain="again")
    assert champion(story) == "late-v4"


def test_a_rollback_to_a_version_of_an_earlier_spec_lasts_until_a_person_asks_for_a_run() -> None:
    story = Story()
    story.go_live()
    story.edit(training=OTHER_TRAINING)
    story.run_through()
    story.ready("late-v2")
    story.annotate(rollback_to="late-v1")
    story.wait(days=2)
    assert (story.live, story.run_number) == ("late-v1", 2)
    story.annotate(retrain="now")
    assert champion(story) is None


def test_a_spec_that_is_changed_back_has_its_champion_again() -> None:
    story = Story()
    story.go_live()
    story.edit(training=OTHER_TRAINING)
    story.edit(training=spec()["training"])
    assert (story.run_number, champion(story)) == (3, "late-v1")


def test_a_version_of_an_earlier_operator_does_not_say_what_spec_it_is_of() -> None:
    story = Story()
    story.go_live()
    version = copied(story.world.objects[Ref(MODEL_VERSION, "late-v1")])
    del version["spec"]["specDigest"]
    story.world.remove(MODEL_VERSION, "late-v1")
    story.world.put(version)
    story.annotate(retrain="now")
    assert champion(story) == "late-v1"
    story.edit(training=OTHER_TRAINING)
    assert champion(story) is None
    story.ends(Stage.PREPARE, prepared("SourceMissing"))
    story.wait(hours=1)
    assert (story.run_number, champion(story)) == (4, None)


def test_resources_of_the_live_version_are_rolled_out_in_place() -> None:
    story = Story()
    story.go_live()
    story.edit(serving={"resources": {"limits": {"memory": "2Gi"}}})
    container = story.world.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": "2Gi"}
    assert story.run_number == 1


def test_the_pods_of_the_live_version_are_told_where_spans_go_and_no_longer() -> None:
    story = Story()
    story.go_live()
    story.edit(serving={"tracing": {"endpoint": "http://collector:4317"}})
    assert _told(story).tracing == Tracing(endpoint="http://collector:4317", sample_ratio=0.01)
    story.edit(serving={})
    assert _told(story).tracing is None
    assert story.decisions[-1] != "RunStarted"


def _pod(story: Story) -> dict[str, Any]:
    pod: dict[str, Any] = story.world.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]["spec"]
    return pod


def _told(story: Story) -> PodDocument:
    """What the live version's server is told."""
    (variable,) = (variable for variable in _pod(story)["containers"][0]["env"] if variable["name"] == ENV_POD)
    return PodDocument.model_validate_json(variable["value"])


def test_settings_of_the_server_are_rolled_out_in_place() -> None:
    story = Story()
    story.go_live()
    story.edit(
        serving={
            "workers": 2,
            "batcher": {"maxBatchSize": 256, "maxLatency": "2ms"},
            "limits": {"maxRequests": 10},
            "timeout": "1m",
        }
    )
    assert _told(story).serving == ServerSettings(
        workers=2, batcher=BatcherSettings(max_batch_size=256, max_latency="2ms"), limits=RequestLimits(max_requests=10), timeout="1m"
    )
    assert story.run_number == 1


def test_a_manifest_that_sets_nothing_of_the_server_tells_it_nothing() -> None:
    """So an operator that learns of new settings changes no pod template, and a server that knows none of them still reads the document."""
    story = Story()
    story.go_live()
    before = _pod(story)
    story.edit(serving={"workers": 1, "batcher": {"maxLatency": "0s"}})
    assert "serving" not in _told(story).wire()
    assert _pod(story) == before


def test_a_pod_that_ends_gives_requests_as_long_as_they_may_take() -> None:
    story = Story()
    story.go_live()
    story.edit(serving={"timeout": "2m"})
    assert _told(story).drain == "120s"
    assert _pod(story)["terminationGracePeriodSeconds"] > 120
