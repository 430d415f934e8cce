"""Who has the traffic: candidates, promotion, draining, rollback, scaling."""

from datetime import timedelta

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, JOB, MODEL_VERSION, POD, SERVICE

from tests.operator.support import players
from tests.operator.support.manifests import packaged, spec
from tests.operator.support.players import killed
from tests.operator.support.story import Story
from tests.operator.support.world import replicas_owned_elsewhere

AUTOSCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}


def second_version(story: Story) -> None:
    """Bring an accepted second version to where its pods are made."""
    story.annotate(retrain="now")
    story.run_through()
    assert story.status.candidate is not None


def replicas(story: Story, version: str) -> int:
    number = story.world.objects[Ref(DEPLOYMENT, version)]["spec"]["replicas"]
    assert isinstance(number, int)
    return number


def test_the_old_version_serves_until_the_new_one_is_ready_then_drains_and_goes() -> None:
    story = Story(spec(serving={"replicas": 2, "drain": "1m"}))
    story.go_live()
    second_version(story)
    story.ready("late-v2", pods=1)
    assert story.live == story.traffic == "late-v1"
    assert "1 of 2 pods are ready" in story.condition("Progressing").message

    decision = story.ready("late-v2", pods=2)
    assert story.live == story.traffic == "late-v2"
    assert [item.version for item in story.status.draining] == ["late-v1"]
    assert story.version_status(1).phase == "Draining"
    assert Ref(DEPLOYMENT, "late-v1") in story.world.objects
    assert decision.look_again == 60

    story.wait(seconds=60)
    assert story.status.draining == []
    assert story.version_status(1).phase == "Retired"
    assert story.world.names(DEPLOYMENT) == ["late-v2"]
    assert story.world.names(SERVICE) == ["late", "late-v2"]
    assert story.world.names(MODEL_VERSION) == ["late-v1", "late-v2"]


def test_status_names_the_new_version_before_the_traffic_moves() -> None:
    story = Story()
    story.go_live()
    second_version(story)
    seen: list[tuple[str | None, str | None]] = []
    story.guard(after=lambda _: seen.append((story.live, story.traffic)))
    story.ready("late-v2")
    moved = [pair for pair in seen if pair != ("late-v1", "late-v1")]
    assert moved[0] == ("late-v2", "late-v1")
    assert moved[-1] == ("late-v2", "late-v2")


def test_a_candidate_that_never_gets_ready_is_given_up() -> None:
    story = Story(spec(serving={"progressDeadline": "5m"}))
    story.go_live()
    second_version(story)
    deployment = story.world.objects[Ref(DEPLOYMENT, "late-v2")]
    players.add_server(story.world, deployment, "late-v2-0", killed("fetching\nDigestDiffers: the bundle was changed"))
    decision = story.settle()
    assert decision.look_again == 300
    assert "DigestDiffers" in story.condition("Progressing").message

    story.wait(minutes=5)
    assert story.status.candidate is None
    assert story.live == story.traffic == "late-v1"
    assert story.version_status(2).phase == "Failed"
    assert "fetch of late-v2-0: Error: DigestDiffers: the bundle was changed" in story.version_status(2).message
    assert story.decisions[-1] == "RolloutFailed"
    assert story.world.names(DEPLOYMENT) == ["late-v1"]


def test_rollback_to_an_earlier_version() -> None:
    story = Story()
    story.go_live()
    second_version(story)
    story.ready("late-v2")
    story.wait(minutes=1)
    story.annotate(rollback_to="late-v1")
    assert story.live == "late-v2"
    assert story.status.candidate is not None
    assert story.status.candidate.version == "late-v1"
    story.ready("late-v1")
    assert story.live == story.traffic == "late-v1"
    assert [item.version for item in story.status.draining] == ["late-v2"]
    story.wait(minutes=1)
    assert story.version_status(2).phase == "Retired"
    assert story.decisions[-2:] == ["RollbackStarted", "Promoted"]
    writes = story.world.writes.total()
    story.settle()
    assert story.world.writes.total() == writes


def test_rollback_while_the_old_version_drains_is_quick() -> None:
    story = Story()
    story.go_live()
    second_version(story)
    story.ready("late-v2")
    story.annotate(rollback_to="late-v1")
    assert story.live == story.traffic == "late-v1"
    assert [item.version for item in story.status.draining] == ["late-v2"]


def test_rollbacks_that_cannot_be_are_refused_once_with_a_sentence() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="now")
    story.run_through(packaged(2, roc_auc=0.5))
    for wish, sentence in [
        ("late-v7", "'late-v7', which is no version of this model; there are: late-v1, late-v2"),
        ("late-v2", "late-v2 was rejected (CriterionMissed)"),
        ("late-v1", "late-v1 is live already"),
        (" ", "''"),
    ]:
        story.annotate(rollback_to=wish)
        assert story.world.told[-1]["reason"] == "RollbackRefused"
        assert sentence in story.world.told[-1]["note"]
        assert story.status.candidate is None
    assert story.decisions.count("RollbackRefused") == 4


def test_scale() -> None:
    story = Story()
    story.go_live()
    story.edit(serving={"replicas": 3})
    assert replicas(story, "late-v1") == 3
    story.ready("late-v1")
    assert story.status.replicas == 3
    story.edit(serving={"replicas": 0})
    assert replicas(story, "late-v1") == 0
    story.ready("late-v1", 0)
    assert (story.condition("Ready").status, story.condition("Ready").reason) == ("False", "ScaledToZero")
    assert story.live == "late-v1"


def test_an_autoscaler_decides_the_replicas_also_of_the_next_version() -> None:
    story = Story(spec(serving=AUTOSCALED))
    story.go_live()
    assert replicas(story, "late-v1") == 2
    assert story.world.objects[Ref(AUTOSCALER, "late")]["spec"]["scaleTargetRef"]["name"] == "late-v1"

    replicas_owned_elsewhere(story.world, "late-v1", 6)
    story.ready("late-v1")
    assert replicas(story, "late-v1") == 6
    second_version(story)
    assert replicas(story, "late-v2") == 6
    story.ready("late-v2")
    assert story.live == "late-v2"
    assert story.world.objects[Ref(AUTOSCALER, "late")]["spec"]["scaleTargetRef"]["name"] == "late-v2"
    assert (replicas(story, "late-v1"), replicas(story, "late-v2")) == (6, 6)


def test_without_an_autoscaler_a_foreign_scale_is_put_right() -> None:
    story = Story()
    story.go_live()
    replicas_owned_elsewhere(story.world, "late-v1", 6)
    story.settle()
    assert replicas(story, "late-v1") == 1


def test_an_autoscaler_comes_and_goes_with_the_manifest() -> None:
    story = Story()
    story.go_live()
    assert story.world.names(AUTOSCALER) == []
    story.edit(serving=AUTOSCALED)
    assert story.world.names(AUTOSCALER) == ["late"]
    story.edit(serving={"replicas": 2})
    assert story.world.names(AUTOSCALER) == []
    assert replicas(story, "late-v1") == 2


def test_a_disruption_budget_holds_the_live_version() -> None:
    story = Story()
    story.go_live()
    budget = story.world.objects[Ref(DISRUPTION_BUDGET, "late")]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"]["mlmodel.dev/version"] == "late-v1"


def test_an_upgrade_of_the_operator_restarts_no_live_version() -> None:
    story = Story()
    story.go_live()
    before = story.world.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]
    story.config = type(story.config)(**{**vars(story.config), "server_image": "registry/model-server:2"})
    story.settle()
    assert story.world.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"] == before
    second_version(story)
    pod = story.world.objects[Ref(DEPLOYMENT, "late-v2")]["spec"]["template"]["spec"]
    assert {container["image"] for container in (*pod["initContainers"], *pod["containers"])} == {"registry/model-server:2"}


def test_a_run_that_ends_during_a_rollback_does_not_take_its_place() -> None:
    story = Story()
    story.go_live()
    second_version(story)
    story.ready("late-v2")
    story.wait(minutes=1)
    story.annotate(retrain="more")
    story.ends(Stage.PREPARE)
    story.annotate(rollback_to="late-v1")
    story.ends(Stage.TRAIN)
    story.ends(Stage.PACKAGE)
    story.ends(Stage.VERIFY)
    assert story.status.candidate is not None
    assert story.status.candidate.version == "late-v1"
    assert story.decisions[-2:] == ["Accepted", "Superseded"]
    assert story.version_status(3).phase == "Retired"
    story.ready("late-v1")
    assert story.live == "late-v1"


def test_a_run_whose_champion_was_rolled_back_begins_anew_against_the_live_version() -> None:
    story = Story()
    story.go_live()
    second_version(story)
    story.ready("late-v2")
    story.wait(minutes=1)
    story.annotate(retrain="more")
    story.annotate(rollback_to="late-v1")
    story.ready("late-v1")
    assert story.decisions[-2:] == ["RunCancelled", "RunStarted"]
    assert story.status.run is not None
    assert (story.run_number, story.status.run.champion) == (4, "late-v1")


def test_a_candidate_whose_pods_cannot_be_scheduled_says_so() -> None:
    story = Story()
    story.go_live()
    second_version(story)
    players.add_server(story.world, story.world.objects[Ref(DEPLOYMENT, "late-v2")], "late-v2-0")
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes have enough memory"}
    story.world.change(POD, "late-v2-0", lambda body: body.update(status={"phase": "Pending", "conditions": [scheduled]}))
    story.settle()
    assert story.condition("Progressing").message.endswith("late-v2-0 waits: Unschedulable: 0/1 nodes have enough memory")


def test_a_first_version_that_was_given_up_is_not_live_though_its_service_is_still_seen() -> None:
    story = Story(spec(serving={"progressDeadline": "1m"}))
    story.settle()
    story.run_through()
    story.now += timedelta(minutes=1)
    story.take_turn()
    assert story.condition("Progressing").reason == "RolloutFailed"
    story.take_turn()  # nothing was delivered in between: the cache holds the Service that is deleted
    assert story.status.live is None
    assert story.version_status(1).phase == "Failed"


def test_the_time_that_the_operator_was_away_is_not_the_candidates() -> None:
    story = Story(spec(serving={"progressDeadline": "1m"}))
    story.go_live()
    second_version(story)
    story.world.remove(DEPLOYMENT, "late-v2")  # as if it had died before it made it
    story.wait(minutes=11)
    assert story.status.candidate is not None
    story.ready("late-v2")
    assert story.live == "late-v2"


def test_a_candidate_whose_version_somebody_deletes_is_given_up_all_the_same() -> None:
    story = Story(spec(serving={"progressDeadline": "1m"}))
    story.go_live()
    second_version(story)
    story.world.remove(MODEL_VERSION, "late-v2")
    story.world.remove(DEPLOYMENT, "late-v2")
    story.wait(minutes=1)
    assert story.status.candidate is None
    assert story.live == story.traffic == "late-v1"


def test_deadlines_are_such_as_kubernetes_takes() -> None:
    story = Story(spec(serving={"progressDeadline": "99999d"}, training={"task": "Classification", "timeout": "0.5s"}))
    story.settle()
    job = story.world.objects[Ref(JOB, "late-r1-prepare")]
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 1
    story.run_through()
    assert story.world.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["progressDeadlineSeconds"] == 2**31 - 1


def test_a_change_of_the_live_deployment_does_not_make_the_model_unready() -> None:
    story = Story()
    story.go_live()
    since = story.condition("Ready").last_transition_time
    story.now += timedelta(minutes=5)
    story.edit(serving={"replicas": 3})
    assert story.world.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["replicas"] == 3
    assert (story.condition("Ready").status, story.condition("Ready").last_transition_time) == ("True", since)
    assert story.status.replicas == 1


def test_a_first_version_that_never_gets_ready_is_told_and_counts_as_a_failure() -> None:
    story = Story(spec(serving={"progressDeadline": "1m"}, retraining={"cooldown": "1h", "giveUpAfter": 2}))
    story.settle()
    for number in (1, 2):
        story.run_through(packaged(number))
        story.wait(minutes=1)
        assert story.condition("Ready").reason == "RolloutFailed"
        assert "not ready within serving.progressDeadline" in story.condition("Ready").message
        assert story.status.retraining.rejected_in_a_row == number
        story.wait(hours=2)
    assert story.run_number == 2
    assert story.condition("RetrainingPaused").reason == "GaveUp"
