"""A model is deleted while its run is under way: everything it owned goes, and its neighbour does not notice."""

import pytest
from mlmodel_contract.environment import LABEL_MODEL
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import CHILDREN, ML_MODEL, MODEL_VERSION, MONITOR_REPORT, POD, SECRET

from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.fake_kubelet import FakeKubelet
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.fake_controllers import LiveRows

EVERY_KIND = (*CHILDREN, MODEL_VERSION, MONITOR_REPORT, POD, SECRET)


def owned(api: Api, model: str) -> dict[str, str]:
    """Everything of a model, with its uid."""
    return {
        f"{kind.name} {body['metadata']['name']}": body["metadata"]["uid"]
        for kind in EVERY_KIND
        for body in api.objects(kind, f"{LABEL_MODEL}={model}")
    }


@pytest.mark.usefixtures("operator")
def test_everything_it_owned_goes_and_nothing_else(model: DeclaredModel, api: Api) -> None:
    neighbour = DeclaredModel(api, FakeKubelet(api, "early"), "early")
    neighbour.declare()
    neighbour.until(lambda: neighbour.live == "early-v1", "the neighbour is live")
    model.declare()
    model.until(lambda: model.live == "late-v1", "the first version is live")
    model.kubelet.report("late-v1", LiveRows(100))
    model.kubelet.outcomes[Stage.TRAIN] = lambda _run, _index: None
    model.annotate(retrain="now")
    model.until(lambda: model.run == (2, "Train", "Running"), "the second run trains")

    before = owned(api, "early")
    assert len(owned(api, "late")) > 15
    api.delete(ML_MODEL, "late")
    neighbour.until(lambda: owned(api, "late") == {}, "everything is gone", 120)
    assert owned(api, "early") == before
    assert neighbour.condition("Ready")["status"] == "True"


def test_a_model_that_is_made_again_at_once_begins_anew(model: DeclaredModel, api: Api, operator: OperatorProcess) -> None:
    model.declare()
    model.until(lambda: model.live == "late-v1", "the first version is live")
    first = owned(api, "late")
    model.kubelet.outcomes[Stage.VERIFY] = lambda _run, _index: None
    api.delete(ML_MODEL, "late")
    model.declare()
    model.until(lambda: model.run == (1, "Verify", "Running"), "the new model's first run is at its last stage", 120)
    del model.kubelet.outcomes[Stage.VERIFY]
    model.until(lambda: model.live == "late-v1", "the new model's first version is live", 120)
    assert set(owned(api, "late").values()).isdisjoint(first.values())
    assert "unexpected error" not in operator.log
