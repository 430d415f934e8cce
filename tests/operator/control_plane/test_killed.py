"""The operator is killed at every step that shows from outside: it goes on, and nothing is done twice."""

from collections import Counter

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import DEPLOYMENT, EVENT, JOB, MODEL_VERSION, SERVICE

from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.manifests import spec

QUICK = spec(retraining={"cooldown": "100d"}, serving={"drain": "1s"})


def test_it_goes_on_and_nothing_is_done_twice(model: DeclaredModel, api: Api, operator: OperatorProcess) -> None:
    model.declare(QUICK)
    live_through_kills(model, api, operator, "late-v1")
    model.annotate(retrain="now")
    live_through_kills(model, api, operator, "late-v2")
    model.until(lambda: not model.status.get("draining"), "the first version has drained")
    model.until(lambda: api.names(DEPLOYMENT) == ["late-v2"], "its pods have gone")  # just after the status says so

    assert operator.starts > 8
    assert {name: len(uids) for name, uids in model.kubelet.jobs.items()} == {
        f"late-r{run}-{stage.lower()}": 1 for run in (1, 2) for stage in Stage
    }
    assert api.names(MODEL_VERSION) == ["late-v1", "late-v2"]
    assert api.get(SERVICE, "late")["spec"]["selector"]["mlmodel.dev/version"] == "late-v2"
    words = Counter(event["reason"] for event in api.objects(EVENT) if event.get("reportingController") == "mlmodel-operator")
    assert all(words[word] <= 2 for word in ("RunStarted", "Accepted", "Promoted")), words
    logged = Counter(entry["decision"] for entry in model.status["decisions"])
    assert logged == {"RunStarted": 2, "Accepted": 2, "Promoted": 2}


def live_through_kills(model: DeclaredModel, api: Api, operator: OperatorProcess, version: str) -> None:
    """Kill the operator after every change until the version is live."""
    states = {visible_state(model, api)}

    def went_live() -> bool:
        state = visible_state(model, api)
        if state not in states:
            states.add(state)
            operator.kill()
            operator.start()
        return model.live == version

    model.until(went_live, f"{version} is live", 240)


def visible_state(model: DeclaredModel, api: Api) -> str:
    """What shows from outside of the model's progress."""
    status = model.status
    return str(
        [model.run, status.get("candidate", {}).get("version"), model.live, *(api.names(kind) for kind in (JOB, DEPLOYMENT, MODEL_VERSION))]
    )
