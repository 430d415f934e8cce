"""The whole model on a real API server with the real controllers, up to a version that the operator trained by itself; then rest."""

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import CHILDREN, EVENT, JOB, ML_MODEL, MODEL_VERSION, SERVICE

from devtools.waiting import wait_until
from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import spec

QUICK = spec(retraining={"cooldown": "1s"}, serving={"replicas": 2, "drain": "1s"})


def test_from_a_manifest_to_the_second_version_by_itself(model: DeclaredModel, api: Api, operator: OperatorProcess) -> None:
    model.declare(QUICK)
    model.until(lambda: model.live == "late-v1", "the first version is live")
    assert model.condition("Ready")["status"] == "True"
    assert api.get(SERVICE, "late")["spec"]["selector"]["mlmodel.dev/version"] == "late-v1"

    model.kubelet.report("late-v1", LiveRows(2000, shifted=True, labels=1500, loss=2.0))
    model.until(lambda: model.live == "late-v2", "the second version is live")
    version = api.get(MODEL_VERSION, "late-v2")["spec"]
    assert version["reason"] in ("Drift", "Performance")
    assert version["comparison"]["champion"] == "late-v1"
    model.until(lambda: not model.status.get("draining"), "the first version has drained")

    assert {name: len(uids) for name, uids in model.kubelet.jobs.items()} == {
        f"late-r{run}-{stage.lower()}": 1 for run in (1, 2) for stage in Stage
    }
    assert api.names(JOB) == sorted(f"late-r2-{stage.lower()}" for stage in Stage)
    words = [event["reason"] for event in api.objects(EVENT) if event.get("reportingController") == "mlmodel-operator"]
    assert sorted(words) == sorted(["RunStarted", "Accepted", "Promoted"] * 2)
    assert "unexpected error" not in operator.log


def test_at_rest_nothing_is_written_also_by_a_new_operator(model: DeclaredModel, api: Api, operator: OperatorProcess) -> None:
    model.declare(QUICK)
    model.until(lambda: model.live == "late-v1", "the first version is live")
    wait_until(lambda: model.condition("RetrainingPaused").get("reason") == "Watching", "the cooldown is over", 30)
    model.until(lambda: model.condition("Serving").get("message", "").startswith("2 pods"), "both pods are counted")

    before, writes = versions(api), operator.writes()
    reconciles = reconciles_of(operator)
    api.merge(ML_MODEL, "late", {"metadata": {"labels": {"looked-at": "1"}}})
    wait_until(lambda: reconciles_of(operator) > reconciles, "it has reconciled again", 30)
    assert operator.writes() == writes
    operator.kill()
    operator.start()
    wait_until(lambda: reconciles_of(operator) >= 1, "the new one has reconciled", 30)
    assert operator.writes() == 0
    after = versions(api)
    del before["MLModel late"], after["MLModel late"]
    assert after == before


def versions(api: Api) -> dict[str, str]:
    """The resource version of every object that the operator writes."""
    return {
        f"{kind.name} {body['metadata']['name']}": body["metadata"]["resourceVersion"]
        for kind in (ML_MODEL, MODEL_VERSION, *CHILDREN)
        for body in api.objects(kind)
    }


def reconciles_of(operator: OperatorProcess) -> float:
    lines = [line for line in operator.page("metrics").splitlines() if line.startswith('mlmodel_operator_reconciles_total{outcome="done"}')]
    return float(lines[0].split()[-1]) if lines else 0.0
