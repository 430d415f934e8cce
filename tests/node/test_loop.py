"""The whole loop of one model: it goes live by its criteria, the world changes, a run starts by itself, its version takes over, a person
rolls it back; the operator dies meanwhile, and an application that never tries twice sees no failure. The tests are chapters, in order.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.node.support import manifests
from tests.node.support.manifests import Body
from tests.node.support.release import Release
from tests.node.support.team import Team, condition, decisions
from tests.node.support.traffic import FAST, Traffic, traffic

MODEL, FIRST = "loop", "loop-v1"

pytestmark = pytest.mark.in_order


@pytest.fixture(scope="module")
def loop(team: Team) -> Iterator[str]:
    """The model: 2 trials of 2 kinds; it learns from the newest 30 seconds alone, so that a changed world is soon what it knows."""
    tree = {"name": "tree", "estimator": "sklearn.tree.DecisionTreeClassifier", "parameters": {"max_depth": 3}}
    linear = {"name": "linear", "estimator": "sklearn.linear_model.LogisticRegression"}
    sources = [{"uri": f"pvc://{manifests.DATA}/rows.csv"}, {"captured": {}}]
    team.apply(
        manifests.model(
            MODEL,
            data={"sources": sources, "window": "30s"},
            retraining={"triggers": ["Drift", "Performance"]},
            training={"candidates": [linear, tree], "trials": 2, "parallelism": 2},
        )
    )
    yield MODEL
    team.delete_models([MODEL])


@pytest.fixture(scope="module")
def client(team: Team, loop: str) -> Iterator[Traffic]:
    team.wait_live(loop)
    with traffic(team, loop) as client:
        yield client


def test_a_version_goes_live_by_its_criteria(team: Team, loop: str) -> None:
    assert team.wait_live(loop) == FIRST
    status, version = team.status(loop), team.version(FIRST)
    assert condition(status, "DataValid") == condition(status, "ObjectiveMet") == condition(status, "Serving") == "True"
    assert version["spec"]["decision"]["reason"] == "CriteriaMet"
    assert version["spec"]["metrics"]["roc_auc"]["value"] >= 0.7
    assert f"{version['spec']['metrics']['roc_auc']['value']:.4g}" in version["spec"]["decision"]["message"]
    assert version["status"]["phase"] == "Live"
    assert version["spec"]["data"]["trainRows"] > 0


def test_kubectl_shows_a_user_what_happens(team: Team, loop: str) -> None:
    kubectl = team.kubectl
    header, row = kubectl("get", "mlm", loop).splitlines()
    assert header.split()[:4] == ["NAME", "READY", "LIVE", "CANDIDATE"]
    assert row.split()[:3] == [loop, "True", FIRST]
    assert "roc_auc" in row
    header, row = kubectl("get", "modelversions", FIRST).splitlines()
    assert {"MODEL", "PHASE", "DECISION", "VERDICT"} <= set(header.split())
    assert {FIRST, loop, "Live", "CriteriaMet", "Accepted"} <= set(row.split())
    described = kubectl("describe", "mlmodel", loop)
    for word in ("RunStarted", "Accepted", "Promoted", "no criterion is missed on the holdout", "Events:"):
        assert word in described
    explained = kubectl("explain", "mlmodel.spec.objective")
    assert "Bounds that are promised" in explained


def test_it_scales(team: Team, loop: str, client: Traffic) -> None:
    for replicas in (3, 1):
        team.kubectl("scale", f"mlm/{loop}", f"--replicas={replicas}")
        team.wait(partial(_scaled, team, replicas), f"{replicas} pods serve")
    assert client.wait_requests(3).errors == []


def _scaled(team: Team, replicas: int) -> bool:
    """Whether the scale subresource says so, so many pods are ready, and no other is there."""
    status = team.status(MODEL)
    return [status["replicas"], status["live"]["readyReplicas"], len(team.pods(MODEL, version=FIRST))] == [replicas] * 3


def test_drift_and_harm_are_confirmed_and_blamed_on_what_changed(team: Team, loop: str, client: Traffic) -> None:
    team.wait(lambda: team.status(loop)["drift"].get("labels", 0) >= 100, "labels are counted")
    drift = team.status(loop)["drift"]
    assert (drift["state"], drift["harm"]) == ("None", "None"), drift["message"]
    client.behave(**FAST, shift=2.0, contrary=True)
    team.wait(lambda: _verdict(team) == ("Confirmed", "Confirmed"), "drift and harm are confirmed")
    drift = team.version(FIRST)["status"]["drift"]
    blamed = {feature["name"] for feature in drift["features"]}
    assert "x" in blamed
    assert not blamed & {"z", "c"}
    assert drift["lossBound"] > drift["lossReference"]


def _verdict(team: Team) -> tuple[str, str]:
    drift = team.version(FIRST)["status"]["drift"]
    return drift["state"], drift["harm"]


def test_a_run_starts_by_itself_and_outlives_the_operator(team: Team, loop: str, client: Traffic, installed: Release) -> None:
    team.wait(lambda: team.status(loop)["run"]["number"] == 2, "a second run starts")
    assert team.status(loop)["run"]["reason"] in ("Performance", "Drift")
    team.wait(lambda: team.pods(loop, run="2"), "its work starts")
    known = _uids(team.jobs(loop, run="2"))
    installed.end_operators()
    team.wait(lambda: team.status(loop)["run"]["state"] != "Running", "the run ends")
    jobs, pods = _uids(team.jobs(loop, run="2")), team.pods(loop, run="2")
    assert known.items() <= jobs.items()
    work = Counter(_work(pod) for pod in pods)
    assert set(work.values()) == {1}, "no stage is done twice"
    assert "Prepare" in work, "its data is small: one pod may have done all stages"
    assert team.status(loop)["run"]["fits"] > 0, "at least one recipe was tried"
    started = [one["message"] for one in decisions(team.status(loop), "RunStarted")]
    assert len([message for message in started if message.startswith("run 2 ")]) == 1
    assert client.counts().errors == []


def _uids(objects: list[Body]) -> dict[str, str]:
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in objects}


def _work(pod: Body) -> str:
    """What a trainer pod does: its stage, and which trial."""
    labels = pod["metadata"]["labels"]
    return " ".join([labels["mlmodel.dev/stage"], *filter(None, [labels.get("batch.kubernetes.io/job-completion-index")])])


def test_its_version_takes_over_on_figures(team: Team, loop: str, client: Traffic) -> None:
    """A run that learnt too early from the changed world leaves the live version, and the next one comes by itself."""
    team.wait(lambda: team.status(loop)["live"]["version"] != FIRST, "a new version is live")
    live = team.version(team.status(loop)["live"]["version"])["spec"]
    assert live["reason"] in ("Performance", "Drift")
    assert live["data"]["capturedRows"] > 0
    assert live["comparison"]["champion"] == FIRST
    assert live["comparison"]["difference"]["low"] <= 0, "it is not shown to be worse"
    assert f"{live['comparison']['difference']['value']:+.4f}" in live["decision"]["message"]
    assert client.wait_requests(3).errors == []


def test_feedback_for_a_retired_versions_prediction_is_accepted(team: Team, loop: str, client: Traffic) -> None:
    team.wait(lambda: team.version(FIRST)["status"]["phase"] == "Retired", f"{FIRST} is retired")
    assert team.post(loop, "feedback", {"id": client.unlabelled(FIRST), "truth": True}) == (
        200,
        {"accepted": 1, "repeated": 0, "rejected": []},
    )


def test_a_person_rolls_back(team: Team, loop: str, client: Traffic) -> None:
    second = team.status(loop)["live"]["version"]
    team.annotate(loop, rollback_to=FIRST)
    team.wait(lambda: team.status(loop)["live"]["version"] == FIRST, f"{FIRST} is live again")
    answered = client.counts().versions.get(FIRST, 0)
    team.wait(lambda: client.counts().versions.get(FIRST, 0) > answered, f"{FIRST} answers")
    assert decisions(team.status(loop), "RollbackStarted")[-1]["version"] == FIRST
    assert team.version(second)["status"]["phase"] in ("Draining", "Retired")


def test_no_request_failed_in_all_this(client: Traffic) -> None:
    counts = client.wait_requests(20)
    assert (counts.failed, counts.labels_failed, counts.errors) == (0, 0, [])
    assert counts.requests > 200
    assert counts.labels > 1000
