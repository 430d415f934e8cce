"""The operator is killed at every step that can be seen from outside: it goes on, and nothing is done twice."""

from collections import Counter

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import DEPLOYMENT, EVENT, JOB, MODEL_VERSION, SERVICE

from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.players import Loop
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.manifests import spec

QUICK = spec(retraining={"cooldown": "100d"}, serving={"drain": "1s"})


def test_it_goes_on_and_nothing_is_done_twice(loop: Loop, api: Api, operator: OperatorProcess) -> None:
    loop.declare(QUICK)
    live_through_kills(loop, api, operator, "late-v1")
    loop.annotate(retrain="now")
    live_through_kills(loop, api, operator, "late-v2")
    loop.until(lambda: not loop.status.get("draining"), "the first version has drained")
    loop.until(lambda: api.names(DEPLOYMENT) == ["late-v2"], "its pods have gone")  # just after the status says so

    assert operator.starts > 8
    assert {name: len(uids) for name, uids in loop.kubelet.jobs.items()} == {
        f"late-r{run}-{stage.lower()}": 1 for run in (1, 2) for stage in Stage
    }
    assert api.names(MODEL_VERSION) == ["late-v1", "late-v2"]
    assert api.get(SERVICE, "late")["spec"]["selector"]["mlmodel.dev/version"] == "late-v2"
    words = Counter(event["reason"] for event in api.objects(EVENT) if event.get("reportingController") == "mlmodel-operator")
    assert all(words[word] <= 2 for word in ("RunStarted", "Accepted", "Promoted")), words
    logged = Counter(entry["decision"] for entry in loop.status["decisions"])
    assert logged == {"RunStarted": 2, "Accepted": 2, "Promoted": 2}


def live_through_kills(loop: Loop, api: Api, operator: OperatorProcess, version: str) -> None:
    """Kill the operator after every change until the version is live."""
    seen = {looks(loop, api)}

    def went_live() -> bool:
        look = looks(loop, api)
        if look not in seen:
            seen.add(look)
            operator.kill()
            operator.start()
        return loop.live == version

    loop.until(went_live, f"{version} is live", 240)


def looks(loop: Loop, api: Api) -> str:
    """What can be seen of the model's progress."""
    status = loop.status
    return str(
        [loop.run, status.get("candidate", {}).get("version"), loop.live, *(api.names(kind) for kind in (JOB, DEPLOYMENT, MODEL_VERSION))]
    )
