"""Children that somebody deleted, changed or unlabelled are put right; what must not be lost is not."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import (
    CLAIM,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    ML_MODEL,
    MODEL_VERSION,
    NETWORK_POLICY,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

from tests.operator.support import manifests
from tests.operator.support.manifests import NAME, Body
from tests.operator.support.model_lifecycle import ModelLifecycle

APPLIED = [
    (DEPLOYMENT, "late-v1"),
    (SERVICE, "late"),
    (SERVICE, "late-v1"),
    (DISRUPTION_BUDGET, "late"),
    (SERVICE_ACCOUNT, "late-server"),
    (SERVICE_ACCOUNT, "late-trainer"),
    (ROLE_BINDING, "late-server"),
    (NETWORK_POLICY, "late-model-server"),
    (NETWORK_POLICY, "late-trainer"),
]


def without_labels(body: Body) -> None:
    body["metadata"]["labels"] = {}


def without_owner(body: Body) -> None:
    body["metadata"]["ownerReferences"] = []


def of_another_model(body: Body) -> None:
    body["metadata"]["labels"]["mlmodel.dev/model"] = "other"


@pytest.mark.parametrize(("kind", "name"), APPLIED)
def test_a_deleted_child_comes_back(kind: Kind, name: str) -> None:
    model = ModelLifecycle()
    model.go_live()
    before = model.api.objects[Ref(kind, name)]
    model.api.remove(kind, name)
    model.settle()
    again = model.api.objects[Ref(kind, name)]
    assert {part: value for part, value in again.items() if part != "metadata"} == {
        part: value for part, value in before.items() if part not in ("metadata", "status")
    }


@pytest.mark.parametrize("stomp", [without_labels, without_owner, of_another_model])
@pytest.mark.parametrize(("kind", "name"), [*APPLIED, (MODEL_VERSION, "late-v1")])
def test_labels_and_owner_are_put_right(kind: Kind, name: str, stomp: object) -> None:
    model = ModelLifecycle()
    model.go_live()
    before = dict(model.api.objects[Ref(kind, name)]["metadata"])
    assert callable(stomp)
    model.api.change(kind, name, stomp)
    model.settle()
    after = model.api.objects[Ref(kind, name)]["metadata"]
    assert (after["labels"], after["ownerReferences"]) == (before["labels"], before["ownerReferences"])
    assert model.live == model.traffic == "late-v1"


@pytest.mark.parametrize("stomp", [without_labels, without_owner, of_another_model])
def test_a_job_without_its_labels_is_found_again(stomp: object) -> None:
    model = ModelLifecycle()
    model.settle()
    assert callable(stomp)
    model.api.change(JOB, "late-r1-prepare", stomp)
    model.settle()
    model.ends(Stage.PREPARE)
    assert model.api.names(JOB) == ["late-r1-prepare", "late-r1-train"]


def test_a_changed_service_sends_to_the_live_version_again() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.api.change(SERVICE, "late", lambda body: body["spec"].update(selector={"app": "mine"}))
    model.settle()
    assert model.traffic == "late-v1"


def test_what_the_api_server_writes_in_its_own_way_is_in_place() -> None:
    model = ModelLifecycle(manifests.spec(serving={"resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {}}}))
    model.go_live()

    def rewrite(body: Body) -> None:
        body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "500m", "memory": "1Gi"}}

    model.api.change(DEPLOYMENT, "late-v1", rewrite)
    writes = model.api.writes["apply Deployment late-v1"]
    model.settle()
    assert model.api.writes["apply Deployment late-v1"] == writes


def test_a_deleted_version_does_not_stop_the_pods_that_serve_it() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.api.remove(MODEL_VERSION, "late-v1")
    model.settle()
    model.wait(days=1)
    assert Ref(DEPLOYMENT, "late-v1") in model.api.objects
    assert model.traffic == "late-v1"


def test_the_claim_is_made_once_and_never_deleted() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(suspend=True)
    assert model.api.names(CLAIM) == ["late-store"]
    assert model.api.writes["create PersistentVolumeClaim late-store"] == 1


@pytest.mark.parametrize("overwritten", [{}, {"live": None}])
def test_an_overwritten_status_takes_no_version_out_of_service(overwritten: Body) -> None:
    model = ModelLifecycle()
    model.go_live()
    status = model.api.objects[Ref(ML_MODEL, NAME)]["status"]
    left = {} if not overwritten else {name: value for name, value in status.items() if name != "live"}
    model.api.change(ML_MODEL, NAME, lambda body: body.update(status=left))
    model.settle()
    assert model.live == model.traffic == "late-v1"
    assert Ref(DEPLOYMENT, "late-v1") in model.api.objects
    assert model.run_number == (2 if not overwritten else 1)


def test_a_model_that_was_deleted_and_made_again_takes_nothing_of_the_old_one() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.api.remove(ML_MODEL, NAME)
    model.api.put(manifests.model(manifests.spec()))
    model.observe()
    snapshot = model.snapshot()
    assert snapshot.versions == {}
    assert snapshot.jobs == {}
    assert snapshot.pods_of_run(1, Stage.PREPARE) == []
    model.api.collect_garbage()
    model.settle()
    assert model.run_number == 1
    assert model.live is None
    model.run_through()
    model.ready("late-v1")
    assert model.live == "late-v1"
