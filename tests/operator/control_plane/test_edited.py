"""The manifest is edited while things are under way."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, ML_MODEL

from devtools.cluster.kubectl import Kubectl
from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.fake_kubelet import goes_well
from tests.operator.support.manifests import spec

TRAINED = goes_well(Stage.TRAIN, "late")
pytestmark = pytest.mark.usefixtures("operator")


def test_a_run_for_an_old_spec_is_cancelled_and_a_new_one_starts(model: DeclaredModel, api: Api) -> None:
    model.kubelet.outcomes[Stage.TRAIN] = lambda run, index: None if run == 1 else TRAINED(run, index)
    model.declare()
    model.until(lambda: model.run == (1, "Train", "Running"), "the first run trains")
    api.merge(ML_MODEL, "late", {"spec": {"training": {"selectBy": "log_loss"}}})
    model.until(lambda: model.live == "late-v2", "the version for the new spec is live")
    assert all(name.startswith("late-r2-") for name in api.names(JOB))
    words = [entry["decision"] for entry in model.status["decisions"]]
    assert words == ["RunStarted", "RunCancelled", "RunStarted", "Accepted", "Promoted"]


def test_suspend_and_go_on(model: DeclaredModel, api: Api) -> None:
    model.kubelet.outcomes[Stage.TRAIN] = lambda run, index: None if run == 1 else TRAINED(run, index)
    model.declare()
    model.until(lambda: model.run == (1, "Train", "Running"), "the first run trains")
    api.merge(ML_MODEL, "late", {"spec": {"suspend": True}})
    model.until(lambda: api.names(JOB) == [], "its Jobs are gone")
    assert model.condition("RetrainingPaused")["reason"] == "Suspended"
    api.merge(ML_MODEL, "late", {"spec": {"suspend": False}})
    model.until(lambda: model.live == "late-v2", "the next run's version is live")


def test_kubectl_scale_and_rollback(model: DeclaredModel, api: Api, kubectl: Kubectl) -> None:
    model.declare(spec(serving={"drain": "1s"}))
    model.until(lambda: model.live == "late-v1", "the first version is live")
    kubectl("scale", "mlm/late", "--replicas=3")
    model.until(lambda: model.status.get("replicas") == 3, "three pods are ready")
    assert api.get(DEPLOYMENT, "late-v1")["spec"]["replicas"] == 3
    kubectl("annotate", "mlm/late", "mlmodel.dev/retrain=now")
    model.until(lambda: model.live == "late-v2", "the second version is live")
    model.until(lambda: api.names(DEPLOYMENT) == ["late-v2"], "the first version's pods are gone")
    kubectl("annotate", "mlm/late", "mlmodel.dev/rollback-to=late-v1")
    model.until(lambda: model.live == "late-v1", "the first version is live again")
    model.until(lambda: api.names(DEPLOYMENT) == ["late-v1"], "the second version's pods are gone")
