"""Children that the API server refuses, or whose name somebody else's object has: it is told, and stops nothing else."""

from typing import cast

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.cluster.kinds import CLAIM, DEPLOYMENT, JOB, ML_MODEL, ROLE_BINDING, SERVICE
from mlmodel_operator.errors import RefusedError
from mlmodel_operator.reconcile import Reconciler
from prometheus_client import REGISTRY

from tests.operator.support import players
from tests.operator.support.manifests import NAME, NAMESPACE, Body, spec
from tests.operator.support.story import CONFIG, KEY, Story, finished

AUTOSCALED = spec(serving={"autoscaling": {"minReplicas": 2, "maxReplicas": 9}})
OTHER_MODEL = {"apiVersion": ML_MODEL.api_version, "kind": "MLModel", "name": "other", "uid": "uid-other", "controller": True}


def refuse(story: Story, write: str, sentence: str = "exceeded quota") -> None:
    """Let the API server refuse one write from now on."""

    def before(what: str) -> None:
        if what == write:
            raise RefusedError(f"{what}: 403 {sentence}", 403)

    story.guard(before=before)


def refused_at_rest(story: Story, sentence: str) -> None:
    """Take turns, each of which is refused, until nothing changes any more."""
    for _ in range(5):
        before = resource_version(story)
        story.observe()
        with pytest.raises(RefusedError, match=sentence):
            story.take_turn()
    assert resource_version(story) == before


def resource_version(story: Story) -> str:
    return str(story.world.objects[Ref(ML_MODEL, NAME)]["metadata"]["resourceVersion"])


def somebodys(kind: str, name: str, owners: list[Body], more: Body) -> Body:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": owners}, "spec": more}


@pytest.mark.parametrize("owners", [[], [OTHER_MODEL]], ids=["nobody's", "another model's"])
@pytest.mark.parametrize("name", ["late", "late-v1"])
def test_a_service_of_somebody_else_is_not_taken_over(name: str, owners: list[Body]) -> None:
    story = Story()
    story.settle()
    taken = story.world.put(somebodys("Service", name, owners, {"selector": {"app": "shop"}}))
    for stage in (Stage.PREPARE, Stage.TRAIN, Stage.PACKAGE):
        story.ends(stage)
    with pytest.raises(RefusedError):
        story.ends(Stage.VERIFY)
    refused_at_rest(story, f"Service {name} is there already and is not of MLModel late: delete it")

    assert story.world.objects[Ref(SERVICE, name)] == taken
    assert story.world.names(DEPLOYMENT) == ["late-v1"]
    for condition in ("Progressing", "Ready"):
        assert (story.condition(condition).status, story.condition(condition).reason) == ("False", "ChildRefused")
        assert f"Service {name}" in story.condition(condition).message

    story.world.remove(SERVICE, name)
    story.settle()
    story.ready("late-v1")
    assert story.live == story.traffic == "late-v1"
    assert story.condition("Progressing").reason == "Idle"


def test_a_claim_of_somebody_else_is_not_owned() -> None:
    story = Story()
    taken = story.world.put(somebodys("PersistentVolumeClaim", "late-store", [], {"accessModes": ["ReadWriteMany"]}))
    story.observe()
    refused_at_rest(story, "PersistentVolumeClaim late-store is there already")
    assert story.world.objects[Ref(CLAIM, "late-store")] == taken
    assert story.world.names(JOB) == ["late-r1-prepare"]


def test_a_refused_child_stops_no_other_and_is_told_until_it_is_taken() -> None:
    story = Story(AUTOSCALED)
    refuse(story, "apply HorizontalPodAutoscaler late", "maxReplicas: forbidden")
    story.settle()
    story.run_through()
    with pytest.raises(RefusedError):
        story.ready("late-v1")
    refused_at_rest(story, "maxReplicas: forbidden")

    assert story.live == story.traffic == "late-v1"
    assert story.condition("Ready").status == "True"
    told = story.condition("Progressing")
    assert (told.status, told.reason) == ("False", "ChildRefused")
    assert "maxReplicas: forbidden" in told.message

    story.guard()
    story.settle()
    assert story.condition("Progressing").reason == "Idle"


def test_what_is_no_longer_wanted_is_not_refused_any_more() -> None:
    story = Story(AUTOSCALED)
    refuse(story, "apply HorizontalPodAutoscaler late")
    story.settle()
    story.run_through()
    with pytest.raises(RefusedError):
        story.ready("late-v1")
    story.edit(serving={"replicas": 2})
    assert story.condition("Progressing").reason == "Idle"


def test_pods_do_not_go_while_the_service_may_still_send_to_them() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="now")
    story.run_through()
    refuse(story, "apply Service late")
    with pytest.raises(RefusedError):
        story.ready("late-v2")
    with pytest.raises(RefusedError):
        story.wait(minutes=5)
    refused_at_rest(story, "exceeded quota")
    assert (story.live, story.traffic) == ("late-v2", "late-v1")
    assert story.world.names(DEPLOYMENT) == ["late-v1", "late-v2"]

    story.guard()
    story.settle()
    assert story.traffic == "late-v2"
    assert story.world.names(DEPLOYMENT) == ["late-v2"]


def test_a_binding_to_another_role_is_made_anew() -> None:
    story = Story()
    story.go_live()
    story.config = type(story.config)(**{**vars(story.config), "reporter_role": "renamed"})
    story.settle()
    assert story.world.objects[Ref(ROLE_BINDING, "late-server")]["roleRef"]["name"] == "renamed"
    assert story.world.writes["delete RoleBinding late-server"] == 1


def test_the_metrics_of_a_model_with_a_refused_child_are_set() -> None:
    story = Story()
    story.go_live()
    refuse(story, "apply Service late")
    story.world.remove(SERVICE, "late")
    story.observe()
    players.report(story.world, "late-v1-0", "late-v1", players.Live(70), 1, story.now)
    story.observe()
    with pytest.raises(RefusedError):
        finished(Reconciler(cast(Client, story.world), story.cache, CONFIG)(KEY))
    labels = {"namespace": NAMESPACE, "name": NAME, "version": "late-v1", "outcome": "counted"}
    assert REGISTRY.get_sample_value("mlmodel_live_rows", labels) == 70
