"""Who has the traffic: candidates, promotion, draining, rollback, scaling."""

from datetime import timedelta

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, JOB, MODEL_VERSION, POD, SERVICE

from tests.operator.support import fake_controllers
from tests.operator.support.fake_controllers import killed
from tests.operator.support.in_memory_api import replicas_owned_elsewhere
from tests.operator.support.manifests import KEEP_LIVE, packaged, spec
from tests.operator.support.model_lifecycle import ModelLifecycle

AUTOSCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}


def second_version(model: ModelLifecycle) -> None:
    """Bring another accepted version to where its pods are made."""
    model.annotate(retrain=f"after run {model.run_number}")
    model.run_through()
    assert model.status.candidate is not None


def replicas(model: ModelLifecycle, version: str) -> int:
    number = model.api.objects[Ref(DEPLOYMENT, version)]["spec"]["replicas"]
    assert isinstance(number, int)
    return number


def test_the_old_version_serves_until_the_new_one_is_ready_then_drains_and_goes() -> None:
    model = ModelLifecycle(spec(serving={"replicas": 2, "drain": "1m"}))
    model.go_live()
    second_version(model)
    model.ready("late-v2", pods=1)
    assert model.live == model.traffic == "late-v1"
    assert "1 of 2 pods are ready" in model.condition("Progressing").message

    decision = model.ready("late-v2", pods=2)
    assert model.live == model.traffic == "late-v2"
    assert [item.version for item in model.status.draining] == ["late-v1"]
    assert model.version_status(1).phase == "Draining"
    assert Ref(DEPLOYMENT, "late-v1") in model.api.objects
    assert decision.requeue_after == 60

    model.wait(seconds=60)
    assert model.status.draining == []
    assert model.version_status(1).phase == "Retired"
    assert model.api.names(DEPLOYMENT) == ["late-v2"]
    assert model.api.names(SERVICE) == ["late", "late-v2"]
    assert model.api.names(MODEL_VERSION) == ["late-v1", "late-v2"]


def test_status_names_the_new_version_before_the_traffic_moves() -> None:
    model = ModelLifecycle()
    model.go_live()
    second_version(model)
    states: list[tuple[str | None, str | None]] = []
    model.guard(after=lambda _: states.append((model.live, model.traffic)))
    model.ready("late-v2")
    moved = [pair for pair in states if pair != ("late-v1", "late-v1")]
    assert moved[0] == ("late-v2", "late-v1")
    assert moved[-1] == ("late-v2", "late-v2")


def test_a_candidate_that_never_gets_ready_is_given_up() -> None:
    model = ModelLifecycle(spec(serving={"progressDeadline": "5m"}))
    model.go_live()
    second_version(model)
    deployment = model.api.objects[Ref(DEPLOYMENT, "late-v2")]
    fake_controllers.add_server(model.api, deployment, "late-v2-0", killed("fetching\nDigestDiffers: the bundle was changed"))
    decision = model.settle()
    assert decision.requeue_after == 300
    assert "DigestDiffers" in model.condition("Progressing").message

    model.wait(minutes=5)
    assert model.status.candidate is None
    assert model.live == model.traffic == "late-v1"
    assert model.version_status(2).phase == "Failed"
    assert "fetch of late-v2-0: Error: DigestDiffers: the bundle was changed" in model.version_status(2).message
    assert model.decisions[-1] == "RolloutFailed"
    assert model.api.names(DEPLOYMENT) == ["late-v1"]


def test_rollback_to_an_earlier_version() -> None:
    model = ModelLifecycle()
    model.go_live()
    second_version(model)
    model.ready("late-v2")
    model.wait(minutes=1)
    model.annotate(rollback_to="late-v1")
    assert model.live == "late-v2"
    assert model.status.candidate is not None
    assert model.status.candidate.version == "late-v1"
    model.ready("late-v1")
    assert model.live == model.traffic == "late-v1"
    assert [item.version for item in model.status.draining] == ["late-v2"]
    model.wait(minutes=1)
    assert model.version_status(2).phase == "Retired"
    assert model.decisions[-2:] == ["RollbackStarted", "Promoted"]
    writes = model.api.writes.total()
    model.settle()
    assert model.api.writes.total() == writes


def test_of_many_versions_that_are_replaced_within_their_drain_the_newest_go_on_draining() -> None:
    model = ModelLifecycle(spec(serving={"drain": "1d"}))
    model.go_live()
    for number in range(2, 15):
        second_version(model)
        model.ready(f"late-v{number}")
        model.wait(minutes=1)
    assert model.live == "late-v14"
    assert [item.version for item in model.status.draining] == [f"late-v{number}" for number in range(4, 14)]
    assert model.version_status(3).phase == "Retired"


def test_rollback_while_the_old_version_drains_is_quick() -> None:
    model = ModelLifecycle()
    model.go_live()
    second_version(model)
    model.ready("late-v2")
    model.annotate(rollback_to="late-v1")
    assert model.live == model.traffic == "late-v1"
    assert [item.version for item in model.status.draining] == ["late-v2"]


def test_rollbacks_that_cannot_be_are_refused_once_with_a_sentence() -> None:
    model = ModelLifecycle(spec(objective=KEEP_LIVE))
    model.go_live()
    model.annotate(retrain="now")
    model.run_through(packaged(2, roc_auc=0.5))
    for request, sentence in [
        ("late-v7", "'late-v7', which is no version of this model; there are: late-v1, late-v2"),
        ("late-v2", "late-v2 was rejected (CriterionMissed)"),
        ("late-v1", "late-v1 is live already"),
        (" ", "''"),
    ]:
        model.annotate(rollback_to=request)
        assert model.api.events[-1]["reason"] == "RollbackRefused"
        assert sentence in model.api.events[-1]["note"]
        assert model.status.candidate is None
    assert model.decisions.count("RollbackRefused") == 4


def test_scale() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(serving={"replicas": 3})
    assert replicas(model, "late-v1") == 3
    model.ready("late-v1")
    assert model.status.replicas == 3
    model.edit(serving={"replicas": 0})
    assert replicas(model, "late-v1") == 0
    model.ready("late-v1", 0)
    assert (model.condition("Ready").status, model.condition("Ready").reason) == ("False", "ScaledToZero")
    assert model.live == "late-v1"


def test_an_autoscaler_decides_the_replicas_also_of_the_next_version() -> None:
    model = ModelLifecycle(spec(serving=AUTOSCALED))
    model.go_live()
    assert replicas(model, "late-v1") == 2
    assert model.api.objects[Ref(AUTOSCALER, "late")]["spec"]["scaleTargetRef"]["name"] == "late-v1"

    replicas_owned_elsewhere(model.api, "late-v1", 6)
    model.ready("late-v1")
    assert replicas(model, "late-v1") == 6
    second_version(model)
    assert replicas(model, "late-v2") == 6
    model.ready("late-v2")
    assert model.live == "late-v2"
    assert model.api.objects[Ref(AUTOSCALER, "late")]["spec"]["scaleTargetRef"]["name"] == "late-v2"
    assert (replicas(model, "late-v1"), replicas(model, "late-v2")) == (6, 6)


def test_without_an_autoscaler_a_foreign_scale_is_put_right() -> None:
    model = ModelLifecycle()
    model.go_live()
    replicas_owned_elsewhere(model.api, "late-v1", 6)
    model.settle()
    assert replicas(model, "late-v1") == 1


def test_an_autoscaler_comes_and_goes_with_the_manifest() -> None:
    model = ModelLifecycle()
    model.go_live()
    assert model.api.names(AUTOSCALER) == []
    model.edit(serving=AUTOSCALED)
    assert model.api.names(AUTOSCALER) == ["late"]
    model.edit(serving={"replicas": 2})
    assert model.api.names(AUTOSCALER) == []
    assert replicas(model, "late-v1") == 2


def test_a_disruption_budget_holds_the_live_version() -> None:
    model = ModelLifecycle()
    model.go_live()
    budget = model.api.objects[Ref(DISRUPTION_BUDGET, "late")]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"]["mlmodel.dev/version"] == "late-v1"


def test_an_upgrade_of_the_operator_restarts_no_live_version() -> None:
    model = ModelLifecycle()
    model.go_live()
    before = model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]
    model.config = type(model.config)(**{**vars(model.config), "server_image": "registry/model-server:2"})
    model.settle()
    assert model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"] == before
    second_version(model)
    pod = model.api.objects[Ref(DEPLOYMENT, "late-v2")]["spec"]["template"]["spec"]
    assert {container["image"] for container in (*pod["initContainers"], *pod["containers"])} == {"registry/model-server:2"}


def test_a_run_that_ends_during_a_rollback_does_not_take_its_place() -> None:
    model = ModelLifecycle()
    model.go_live()
    second_version(model)
    model.ready("late-v2")
    model.wait(minutes=1)
    model.annotate(retrain="more")
    model.ends(Stage.PREPARE)
    model.annotate(rollback_to="late-v1")
    model.ends(Stage.TRAIN)
    model.ends(Stage.PACKAGE)
    model.ends(Stage.VERIFY)
    assert model.status.candidate is not None
    assert model.status.candidate.version == "late-v1"
    assert model.decisions[-2:] == ["Accepted", "Superseded"]
    assert model.version_status(3).phase == "Retired"
    model.ready("late-v1")
    assert model.live == "late-v1"


def test_a_run_whose_champion_was_rolled_back_begins_anew_against_the_live_version() -> None:
    model = ModelLifecycle()
    model.go_live()
    second_version(model)
    model.ready("late-v2")
    model.wait(minutes=1)
    model.annotate(retrain="more")
    model.annotate(rollback_to="late-v1")
    model.ready("late-v1")
    assert model.decisions[-2:] == ["RunCancelled", "RunStarted"]
    assert model.status.run is not None
    assert (model.run_number, model.status.run.champion) == (4, "late-v1")


def test_a_candidate_whose_pods_cannot_be_scheduled_says_so() -> None:
    model = ModelLifecycle()
    model.go_live()
    second_version(model)
    fake_controllers.add_server(model.api, model.api.objects[Ref(DEPLOYMENT, "late-v2")], "late-v2-0")
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes have enough memory"}
    model.api.change(POD, "late-v2-0", lambda body: body.update(status={"phase": "Pending", "conditions": [scheduled]}))
    model.settle()
    assert model.condition("Progressing").message.endswith("late-v2-0 waits: Unschedulable: 0/1 nodes have enough memory")


def test_a_first_version_that_was_given_up_is_not_live_though_its_service_is_still_seen() -> None:
    model = ModelLifecycle(spec(serving={"progressDeadline": "1m"}))
    model.settle()
    model.run_through()
    model.now += timedelta(minutes=1)
    model.reconcile()
    assert model.condition("Progressing").reason == "RolloutFailed"
    model.reconcile()  # nothing was delivered in between: the cache holds the Service that is deleted
    assert model.status.live is None
    assert model.version_status(1).phase == "Failed"


def test_the_time_that_the_operator_was_away_is_not_the_candidates() -> None:
    model = ModelLifecycle(spec(serving={"progressDeadline": "1m"}))
    model.go_live()
    second_version(model)
    model.api.remove(DEPLOYMENT, "late-v2")  # as if it had died before it made it
    model.wait(minutes=11)
    assert model.status.candidate is not None
    model.ready("late-v2")
    assert model.live == "late-v2"


def test_a_candidate_whose_version_somebody_deletes_is_given_up_all_the_same() -> None:
    model = ModelLifecycle(spec(serving={"progressDeadline": "1m"}))
    model.go_live()
    second_version(model)
    model.api.remove(MODEL_VERSION, "late-v2")
    model.api.remove(DEPLOYMENT, "late-v2")
    model.wait(minutes=1)
    assert model.status.candidate is None
    assert model.live == model.traffic == "late-v1"


def test_deadlines_are_such_as_kubernetes_takes() -> None:
    model = ModelLifecycle(spec(serving={"progressDeadline": "99999d"}, training={"task": "Classification", "timeout": "0.5s"}))
    model.settle()
    job = model.api.objects[Ref(JOB, "late-r1-prepare")]
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 1
    model.run_through()
    assert model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["progressDeadlineSeconds"] == 2**31 - 1


def test_a_change_of_the_live_deployment_does_not_make_the_model_unready() -> None:
    model = ModelLifecycle()
    model.go_live()
    since = model.condition("Ready").last_transition_time
    model.now += timedelta(minutes=5)
    model.edit(serving={"replicas": 3})
    assert model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["replicas"] == 3
    assert (model.condition("Ready").status, model.condition("Ready").last_transition_time) == ("True", since)
    assert model.status.replicas == 1


def test_a_first_version_that_never_gets_ready_is_reported_and_counts_as_a_failure() -> None:
    model = ModelLifecycle(spec(serving={"progressDeadline": "1m"}, retraining={"cooldown": "1h", "giveUpAfter": 2}))
    model.settle()
    for number in (1, 2):
        model.run_through(packaged(number))
        model.wait(minutes=1)
        assert model.condition("Ready").reason == "RolloutFailed"
        assert "not ready within serving.progressDeadline" in model.condition("Ready").message
        assert model.status.retraining.failed_in_a_row == number
        model.wait(hours=2)
    assert model.run_number == 2
    assert model.condition("RetrainingPaused").reason == "GaveUp"
