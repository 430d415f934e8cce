"""Children that somebody deletes or unlabels on the real API server are put right."""

from collections.abc import Callable

import pytest
from mlmodel_contract.environment import LABEL_MANAGED_BY, LABEL_MODEL
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, DISRUPTION_BUDGET, JOB, ML_MODEL, MODEL_VERSION, ROLE_BINDING, SERVICE, Kind

from tests.operator.control_plane.support.api import Api, Body
from tests.operator.control_plane.support.players import Loop
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


def test_whatever_is_done_to_a_child(loop: Loop, api: Api, operator: OperatorProcess) -> None:
    loop.declare()
    loop.until(lambda: loop.live == "late-v1", "the first version is live")
    for ref in CHILDREN:
        before = head(api, *ref)
        api.delete(*ref)
        loop.until(put_right(api, ref, before), f"{ref.name} is back")
    for ref in [*CHILDREN, Ref(MODEL_VERSION, "late-v1")]:
        before = head(api, *ref)
        for stomp in (NO_LABELS, FOREIGN_LABEL, NO_OWNER):
            api.merge(*ref, stomp)
            loop.until(put_right(api, ref, before), f"{ref.name} has what it had: {stomp}")
    api.merge(SERVICE, "late", {"spec": {"selector": {"mlmodel.dev/version": "late-v7"}}})
    loop.until(lambda: api.get(SERVICE, "late")["spec"]["selector"]["mlmodel.dev/version"] == "late-v1", "the traffic is back")
    loop.until(lambda: loop.condition("Ready").get("status") == "True", "it is served")
    assert loop.live == "late-v1"
    assert loop.run == (1, "Verify", "Succeeded")
    assert "unexpected error" not in operator.log


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("stomp", [NO_LABELS, FOREIGN_LABEL, NO_OWNER, None], ids=["no labels", "foreign label", "no owner", "deleted"])
def test_whatever_is_done_to_the_job_of_a_run(loop: Loop, api: Api, stomp: Body | None) -> None:
    loop.kubelet.outcomes[Stage.PREPARE] = lambda _run, _index: None
    loop.declare()
    loop.until(lambda: bool(loop.kubelet.jobs), "the first Job is there")
    if stomp is None:
        api.delete(JOB, "late-r1-prepare")
    else:
        api.merge(JOB, "late-r1-prepare", stomp)
    del loop.kubelet.outcomes[Stage.PREPARE]
    loop.until(lambda: loop.live == "late-v1", "the first version is live")


@pytest.mark.usefixtures("operator")
def test_the_status_is_the_operators(loop: Loop, api: Api) -> None:
    """Somebody else writes into it all the time, and even takes the live version out."""
    loop.declare()

    def meddle(number: list[int] = [0]) -> None:  # noqa: B006 (counts its calls)
        number[0] += 1
        foreign = {
            "type": "Foreign",
            "status": "True",
            "reason": "Meddling",
            "message": str(number[0]),
            "lastTransitionTime": "2024-01-01T00:00:00Z",
        }
        known = [condition for condition in loop.status.get("conditions", []) if condition["type"] != "Foreign"]
        api.merge(ML_MODEL, "late", {"status": {"conditions": [*known, foreign], "live": None}}, "status")

    def live_in_spite_of_it() -> bool:
        if loop.status.get("conditions"):
            meddle()
        return bool(api.find(SERVICE, "late"))

    loop.until(live_in_spite_of_it, "the first version is live")
    loop.until(lambda: loop.live == "late-v1", "the status says so again")
    assert loop.condition("Ready")["status"] == "True"
    assert all(len(uids) == 1 for uids in loop.kubelet.jobs.values())


def head(api: Api, kind: Kind, name: str) -> Body:
    metadata = api.get(kind, name)["metadata"]
    return {"labels": metadata["labels"], "owners": metadata["ownerReferences"]}


def put_right(api: Api, ref: Ref, wanted: Body) -> Callable[[], bool]:
    def look() -> bool:
        body = api.find(*ref)
        return body is not None and {"labels": body["metadata"].get("labels"), "owners": body["metadata"].get("ownerReferences")} == wanted

    return look
