"""Children that somebody deletes or unlabels on the real API server are put right."""

from collections.abc import Callable

import pytest
from mlmodel_contract.environment import LABEL_MANAGED_BY, LABEL_MODEL
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, DISRUPTION_BUDGET, JOB, ML_MODEL, MODEL_VERSION, ROLE_BINDING, SERVICE, Kind

from tests.operator.control_plane.support.api import Api, Body
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.process import OperatorProcess

CHILDREN = [
    Ref(DEPLOYMENT, "late-v1"),
    Ref(SERVICE, "late"),
    Ref(SERVICE, "late-v1"),
    Ref(DISRUPTION_BUDGET, "late"),
    Ref(ROLE_BINDING, "late-server"),
]
NO_LABELS = {"metadata": {"labels": {LABEL_MANAGED_BY: None, LABEL_MODEL: None}}}
FOREIGN_LABEL = {"metadata": {"labels": {LABEL_MODEL: "other"}}}
NO_OWNER = {"metadata": {"ownerReferences": None}}


def test_whatever_is_done_to_a_child(model: DeclaredModel, api: Api, operator: OperatorProcess) -> None:
    model.declare()
    model.until(lambda: model.live == "late-v1", "the first version is live")
    for ref in CHILDREN:
        before = head(api, *ref)
        api.delete(*ref)
        model.until(put_right(api, ref, before), f"{ref.name} is back")
    for ref in [*CHILDREN, Ref(MODEL_VERSION, "late-v1")]:
        before = head(api, *ref)
        for stomp in (NO_LABELS, FOREIGN_LABEL, NO_OWNER):
            api.merge(*ref, stomp)
            model.until(put_right(api, ref, before), f"{ref.name} has what it had: {stomp}")
    api.merge(SERVICE, "late", {"spec": {"selector": {"mlmodel.dev/version": "late-v7"}}})
    model.until(lambda: api.get(SERVICE, "late")["spec"]["selector"]["mlmodel.dev/version"] == "late-v1", "the traffic is back")
    model.until(lambda: model.condition("Ready").get("status") == "True", "it is served")
    assert model.live == "late-v1"
    assert model.run == (1, "Verify", "Succeeded")
    assert "unexpected error" not in operator.log


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("stomp", [NO_LABELS, FOREIGN_LABEL, NO_OWNER, None], ids=["no labels", "foreign label", "no owner", "deleted"])
def test_whatever_is_done_to_the_job_of_a_run(model: DeclaredModel, api: Api, stomp: Body | None) -> None:
    model.kubelet.outcomes[Stage.PREPARE] = lambda _run, _index: None
    model.declare()
    model.until(lambda: bool(model.kubelet.jobs), "the first Job is there")
    if stomp is None:
        api.delete(JOB, "late-r1-prepare")
    else:
        api.merge(JOB, "late-r1-prepare", stomp)
    del model.kubelet.outcomes[Stage.PREPARE]
    model.until(lambda: model.live == "late-v1", "the first version is live")


@pytest.mark.usefixtures("operator")
def test_the_status_is_the_operators(model: DeclaredModel, api: Api) -> None:
    """Somebody else writes into it all the time, and even takes the live version out."""
    model.declare()

    def meddle(number: list[int] = [0]) -> None:  # noqa: B006 (counts its calls)
        number[0] += 1
        foreign = {
            "type": "Foreign",
            "status": "True",
            "reason": "Meddling",
            "message": str(number[0]),
            "lastTransitionTime": "2024-01-01T00:00:00Z",
        }
        known = [condition for condition in model.status.get("conditions", []) if condition["type"] != "Foreign"]
        api.merge(ML_MODEL, "late", {"status": {"conditions": [*known, foreign], "live": None}}, "status")

    def live_in_spite_of_it() -> bool:
        if model.status.get("conditions"):
            meddle()
        return bool(api.find(SERVICE, "late"))

    model.until(live_in_spite_of_it, "the first version is live")
    model.until(lambda: model.live == "late-v1", "the status says so again")
    assert model.condition("Ready")["status"] == "True"
    assert all(len(uids) == 1 for uids in model.kubelet.jobs.values())


def head(api: Api, kind: Kind, name: str) -> Body:
    metadata = api.get(kind, name)["metadata"]
    return {"labels": metadata["labels"], "owners": metadata["ownerReferences"]}


def put_right(api: Api, ref: Ref, wanted: Body) -> Callable[[], bool]:
    def is_right() -> bool:
        body = api.find(*ref)
        return body is not None and {"labels": body["metadata"].get("labels"), "owners": body["metadata"].get("ownerReferences")} == wanted

    return is_right
