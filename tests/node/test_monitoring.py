"""What monitoring says of live traffic, and what follows: a broken feed, a shift without harm, a rule that changed, and, all the while,
two models of which nothing is to be said. The tests are chapters, in order.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.node.support import manifests
from tests.node.support.team import Team, condition, decisions
from tests.node.support.traffic import FAST, Traffic, traffic

WATCHED, CONTRARY, CALM = "watched", "contrary", ("calm", "still")

pytestmark = pytest.mark.in_order


@pytest.fixture(scope="module")
def clients(team: Team) -> Iterator[dict[str, Traffic]]:
    """Four models of the same rows, each with an application that asks it."""
    names = (WATCHED, CONTRARY, *CALM)
    team.apply(*(manifests.model(name, retraining={"triggers": ["Drift", "Performance"]}) for name in names))
    for name in names:
        team.wait_live(name)
    with ExitStack() as stack:
        yield {name: stack.enter_context(traffic(team, name)) for name in names}
    team.delete_models(names)


def _is_well(team: Team, model: str) -> bool:
    """Whether enough is known to say that nothing is wrong; a suspicion is no alarm."""
    status: dict[str, Any] = team.status(model)
    drift, feed = status.get("drift", {}), status.get("feed", {})
    return drift.get("state") in ("None", "Suspected") and (drift.get("harm"), feed.get("state")) == ("None", "Healthy")


def test_nothing_is_said_of_healthy_models(team: Team, clients: dict[str, Traffic]) -> None:
    for name in (WATCHED, CONTRARY):
        clients[name].behave(**FAST)
    for name in clients:
        team.wait(partial(_is_well, team, name), f"labels of {name} are counted and all is well")


def test_a_broken_feed_is_named_and_quarantined_and_starts_nothing(team: Team, clients: dict[str, Traffic]) -> None:
    client = clients[WATCHED]
    client.behave(**FAST, missing=True)
    team.wait(lambda: condition(team.status(WATCHED), "FeedHealthy") == "False", "the feed is found broken")
    client.wait_requests(30)
    status = team.status(WATCHED)
    assert [(problem["name"], problem["problem"]) for problem in status["feed"]["problems"]] == [("x", "Missing")]
    assert "x is missing in 100% of the latest rows" in condition(status, "FeedHealthy", "message")
    assert condition(status, "RetrainingPaused", "reason") == "FeedBroken"
    assert "end" not in status["quarantine"][-1]

    client.behave(**FAST)
    team.wait(lambda: condition(team.status(WATCHED), "FeedHealthy") == "True", "the feed is mended")
    status = team.status(WATCHED)
    assert status["quarantine"][-1]["start"] < status["quarantine"][-1]["end"]
    assert [len(decisions(status, word)) for word in ("FeedBroken", "FeedMended", "RunStarted")] == [1, 1, 1]


def test_a_shift_without_harm_is_reported_as_that_and_starts_nothing(team: Team, clients: dict[str, Traffic]) -> None:
    client = clients[WATCHED]
    team.wait(lambda: _is_well(team, WATCHED), "labels are counted anew")
    client.behave(**FAST, slide=2.0)
    team.wait(lambda: team.status(WATCHED)["drift"]["state"] == "Confirmed", "drift is confirmed")
    client.wait_requests(30)
    status = team.status(WATCHED)
    blamed = {feature["name"] for feature in status["drift"]["features"]}
    assert "z" in blamed
    assert not blamed & {"x", "c"}
    assert status["drift"]["harm"] == "None"
    assert status["drift"]["message"].startswith("Drifted, no harm seen: ")
    assert condition(status, "DriftDetected", "reason") == "DriftConfirmed"
    assert len(decisions(status, "RunStarted")) == 1
    shown = team.kubectl.plugin("mlmodel", "drift", WATCHED)
    assert "Drifted, no harm seen: " in shown
    assert "<= " in shown, "the sidecar named the slots of z"


def test_a_rule_that_changed_is_harm_without_drift_and_starts_a_run(team: Team, clients: dict[str, Traffic]) -> None:
    clients[CONTRARY].behave(**FAST, contrary=True)
    team.wait(lambda: team.status(CONTRARY)["run"]["number"] >= 2, "a run starts")
    started = decisions(team.status(CONTRARY), "RunStarted")[1]["message"]
    assert started.startswith("run 2 (Performance): ")
    assert "loss" in started


def test_nothing_has_been_said_of_the_healthy_models_all_the_while(team: Team, clients: dict[str, Traffic]) -> None:
    for name in CALM:
        counts = clients[name].wait_requests(3)
        assert _is_well(team, name), team.status(name)["drift"]["message"]
        assert len(decisions(team.status(name), "RunStarted")) == 1
        assert (counts.failed, counts.labels_failed) == (0, 0)
