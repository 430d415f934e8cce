"""Children that the API server refuses, or whose name somebody else's object has: the status says so, and nothing else stops."""

from typing import cast

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.cluster.kinds import CLAIM, DEPLOYMENT, JOB, ML_MODEL, ROLE_BINDING, SERVICE
from mlmodel_operator.errors import RefusedError
from mlmodel_operator.reconcile import Reconciler
from prometheus_client import REGISTRY

from tests.operator.support import fake_controllers
from tests.operator.support.manifests import NAME, NAMESPACE, Body, spec
from tests.operator.support.model_lifecycle import CONFIG, KEY, ModelLifecycle, finished

AUTOSCALED = spec(serving={"autoscaling": {"minReplicas": 2, "maxReplicas": 9}})
OTHER_MODEL = {"apiVersion": ML_MODEL.api_version, "kind": "MLModel", "name": "other", "uid": "uid-other", "controller": True}


def refuse(model: ModelLifecycle, write: str, sentence: str = "exceeded quota") -> None:
    """Let the API server refuse one write from now on."""

    def before(what: str) -> None:
        if what == write:
            raise RefusedError(f"{what}: 403 {sentence}", 403)

    model.guard(before=before)


def refused_at_rest(model: ModelLifecycle, sentence: str) -> None:
    """Reconcile, refused each time, until nothing changes any more."""
    for _ in range(5):
        before = resource_version(model)
        model.observe()
        with pytest.raises(RefusedError, match=sentence):
            model.reconcile()
    assert resource_version(model) == before


def resource_version(model: ModelLifecycle) -> str:
    return str(model.api.objects[Ref(ML_MODEL, NAME)]["metadata"]["resourceVersion"])


def somebodys(kind: str, name: str, owners: list[Body], more: Body) -> Body:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": owners}, "spec": more}


@pytest.mark.parametrize("owners", [[], [OTHER_MODEL]], ids=["nobody's", "another model's"])
@pytest.mark.parametrize("name", ["late", "late-v1"])
def test_a_service_of_somebody_else_is_not_taken_over(name: str, owners: list[Body]) -> None:
    model = ModelLifecycle()
    model.settle()
    foreign = model.api.put(somebodys("Service", name, owners, {"selector": {"app": "shop"}}))
    for stage in (Stage.PREPARE, Stage.TRAIN, Stage.PACKAGE):
        model.ends(stage)
    with pytest.raises(RefusedError):
        model.ends(Stage.VERIFY)
    refused_at_rest(model, f"Service {name} is there already and is not of MLModel late: delete it")

    assert model.api.objects[Ref(SERVICE, name)] == foreign
    assert model.api.names(DEPLOYMENT) == ["late-v1"]
    for condition in ("Progressing", "Ready"):
        assert (model.condition(condition).status, model.condition(condition).reason) == ("False", "ChildRefused")
        assert f"Service {name}" in model.condition(condition).message

    model.api.remove(SERVICE, name)
    model.settle()
    model.ready("late-v1")
    assert model.live == model.traffic == "late-v1"
    assert model.condition("Progressing").reason == "Idle"


def test_a_claim_of_somebody_else_is_not_owned() -> None:
    model = ModelLifecycle()
    foreign = model.api.put(somebodys("PersistentVolumeClaim", "late-store", [], {"accessModes": ["ReadWriteMany"]}))
    model.observe()
    refused_at_rest(model, "PersistentVolumeClaim late-store is there already")
    assert model.api.objects[Ref(CLAIM, "late-store")] == foreign
    assert model.api.names(JOB) == ["late-r1-prepare"]


def test_a_refused_child_stops_no_other_and_is_reported_until_it_is_taken() -> None:
    model = ModelLifecycle(AUTOSCALED)
    refuse(model, "apply HorizontalPodAutoscaler late", "maxReplicas: forbidden")
    model.settle()
    model.run_through()
    with pytest.raises(RefusedError):
        model.ready("late-v1")
    refused_at_rest(model, "maxReplicas: forbidden")

    assert model.live == model.traffic == "late-v1"
    assert model.condition("Ready").status == "True"
    progressing = model.condition("Progressing")
    assert (progressing.status, progressing.reason) == ("False", "ChildRefused")
    assert "maxReplicas: forbidden" in progressing.message

    model.guard()
    model.settle()
    assert model.condition("Progressing").reason == "Idle"


def test_what_is_no_longer_wanted_is_not_refused_any_more() -> None:
    model = ModelLifecycle(AUTOSCALED)
    refuse(model, "apply HorizontalPodAutoscaler late")
    model.settle()
    model.run_through()
    with pytest.raises(RefusedError):
        model.ready("late-v1")
    model.edit(serving={"replicas": 2})
    assert model.condition("Progressing").reason == "Idle"


def test_pods_do_not_go_while_the_service_may_still_send_to_them() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.run_through()
    refuse(model, "apply Service late")
    with pytest.raises(RefusedError):
        model.ready("late-v2")
    with pytest.raises(RefusedError):
        model.wait(minutes=5)
    refused_at_rest(model, "exceeded quota")
    assert (model.live, model.traffic) == ("late-v2", "late-v1")
    assert model.api.names(DEPLOYMENT) == ["late-v1", "late-v2"]

    model.guard()
    model.settle()
    assert model.traffic == "late-v2"
    assert model.api.names(DEPLOYMENT) == ["late-v2"]


def test_a_binding_to_another_role_is_made_anew() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.config = type(model.config)(**{**vars(model.config), "reporter_role": "renamed"})
    model.settle()
    assert model.api.objects[Ref(ROLE_BINDING, "late-server")]["roleRef"]["name"] == "renamed"
    assert model.api.writes["delete RoleBinding late-server"] == 1


def test_the_metrics_of_a_model_with_a_refused_child_are_set() -> None:
    model = ModelLifecycle()
    model.go_live()
    refuse(model, "apply Service late")
    model.api.remove(SERVICE, "late")
    model.observe()
    fake_controllers.report(model.api, "late-v1-0", "late-v1", fake_controllers.LiveRows(70), 1, model.now)
    model.observe()
    with pytest.raises(RefusedError):
        finished(Reconciler(cast(Client, model.api), model.cache, CONFIG)(KEY))
    labels = {"namespace": NAMESPACE, "name": NAME, "version": "late-v1", "outcome": "counted"}
    assert REGISTRY.get_sample_value("mlmodel_live_rows", labels) == 70
