"""A model is deleted while its run is under way: everything it owned goes, and its neighbour does not notice."""

import pytest
from mlmodel_contract.environment import LABEL_MODEL
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import CHILDREN, ML_MODEL, MODEL_VERSION, MONITOR_REPORT, POD, SECRET

from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.players import Kubelet, Loop
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.players import Live

EVERY_KIND = (*CHILDREN, MODEL_VERSION, MONITOR_REPORT, POD, SECRET)


def owned(api: Api, model: str) -> dict[str, str]:
    """Everything of a model, with its uid."""
    return {
        f"{kind.name} {body['metadata']['name']}": body["metadata"]["uid"]
        for kind in EVERY_KIND
        for body in api.objects(kind, f"{LABEL_MODEL}={model}")
    }


@pytest.mark.usefixtures("operator")
def test_everything_it_owned_goes_and_nothing_else(loop: Loop, api: Api) -> None:
    neighbour = Loop(api, Kubelet(api, "early"), "early")
    neighbour.declare()
    neighbour.until(lambda: neighbour.live == "early-v1", "the neighbour is live")
    loop.declare()
    loop.until(lambda: loop.live == "late-v1", "the first version is live")
    loop.kubelet.report("late-v1", Live(100))
    loop.kubelet.outcomes[Stage.TRAIN] = lambda _run, _index: None
    loop.annotate(retrain="now")
    loop.until(lambda: loop.run == (2, "Train", "Running"), "the second run trains")

    before = owned(api, "early")
    assert len(owned(api, "late")) > 15
    api.delete(ML_MODEL, "late")
    neighbour.until(lambda: owned(api, "late") == {}, "everything is gone", 120)
    assert owned(api, "early") == before
    assert neighbour.condition("Ready")["status"] == "True"


def test_a_model_that_is_made_again_at_once_begins_anew(loop: Loop, api: Api, operator: OperatorProcess) -> None:
    loop.declare()
    loop.until(lambda: loop.live == "late-v1", "the first version is live")
    first = owned(api, "late")
    loop.kubelet.outcomes[Stage.VERIFY] = lambda _run, _index: None
    api.delete(ML_MODEL, "late")
    loop.declare()
    loop.until(lambda: loop.run == (1, "Verify", "Running"), "the new model's first run is at its last stage", 120)
    del loop.kubelet.outcomes[Stage.VERIFY]
    loop.until(lambda: loop.live == "late-v1", "the new model's first version is live", 120)
    assert set(owned(api, "late").values()).isdisjoint(first.values())
    assert "unexpected error" not in operator.log
