"""A world that goes and comes back: the operator learns the other one, lets the old version serve again when its rows are back, and keeps
it where nothing made anew is better, which is no failure. Nobody asks for a run; rows are appended to the source. The tests are chapters,
in order.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.node.support import manifests
from tests.node.support.manifests import Body
from tests.node.support.team import Team, condition, decisions, output

MODEL, FIRST = "recurring", "recurring-v1"

pytestmark = pytest.mark.in_order


@dataclass
class Recurring:
    """The model, and the stretches of rows that its source has."""

    team: Team
    stretches: list[str] = field(default_factory=list)

    def append(self, stretch: str) -> None:
        """Append rows to the source."""
        self.stretches.append(stretch)
        self.team.run_script("recurring", *self.stretches)

    def status(self) -> Body:
        """The status as it is now."""
        return self.team.status(MODEL)

    def learn(self, stretch: str) -> Body:
        """Append rows, let the operator look into the source, and wait until a run with them has ended; return the status as it was then.

        Else it does not look, for each run that finds nothing doubles the pause before the next one.
        """
        before, found = _newest_end(self.status()), list[Body]()

        def has_ended() -> bool:
            found[:] = [self.status()]
            return _newest_end(found[0]) > before

        self.append(stretch)
        self.team.apply(_model(["Source"]))
        self.team.wait(has_ended, f"a run with the rows {stretch} ends")
        self.team.apply(_model([]))
        return found[0]

    def wait_answers(self, version: str) -> list[float]:
        """Wait until the version has the traffic, and no other has pods that are ready for it; return what it predicts."""
        self.team.wait(lambda: self.team.predict(MODEL)["model_version"] == version, f"{version} answers")
        self.team.wait(lambda: {_version(pod) for pod in self.team.pods(MODEL) if _version(pod)} == {version}, f"only {version} has pods")
        answer = self.team.predict(MODEL)
        assert answer["model_version"] == version
        return output(answer, "predict")


def _newest_end(status: Body) -> int:
    """The number of the newest run that compared recipes, whatever came of it; the decisions of a run that only looked are left out."""
    ends = ("Accepted", "Returned", "ChampionKept", "Rejected", "DataInvalid", "RunFailed")
    return max((one["run"] for word in ends for one in decisions(status, word)), default=0)


def _version(pod: Body) -> str:
    """The version that a pod serves; empty of a trainer's."""
    return str(pod["metadata"]["labels"].get("mlmodel.dev/version", ""))


@pytest.fixture(scope="module")
def recurring(team: Team) -> Iterator[Recurring]:
    """The model: 2 recipes on 2 windows each. A single failure would make it give up."""
    made = Recurring(team)
    made.append("rising=1000")
    team.apply(_model([]))
    yield made
    team.delete_models([MODEL])


def _model(triggers: list[str]) -> Body:
    tree = {"name": "tree", "estimator": "sklearn.tree.DecisionTreeRegressor", "parameters": {"max_depth": 3}}
    linear = {"name": "linear", "estimator": "sklearn.linear_model.LinearRegression"}
    columns = [
        {"name": "when", "type": "time"},
        {"name": "x", "type": "number"},
        {"name": "z", "type": "number"},
        {"name": "c", "type": "category"},
        {"name": "delay", "type": "number"},
    ]
    source = {"uri": "s3://team/recurring/rows.parquet", "credentials": manifests.STORAGE}
    return manifests.model(
        MODEL,
        objective={"criteria": [{"metric": "rmse", "max": 3}]},
        data={"sources": [source], "target": "delay", "columns": columns},
        training={"task": "Regression", "candidates": [linear, tree], "trials": 2, "parallelism": 2},
        retraining={"triggers": triggers, "sourceCheck": "1s", "giveUpAfter": 1},
    )


@pytest.fixture(scope="module")
def first_answer(team: Team, recurring: Recurring) -> list[float]:
    """What the first version predicts."""
    assert team.wait_live(MODEL) == FIRST
    return recurring.wait_answers(FIRST)


def test_the_other_world_is_learnt(recurring: Recurring, first_answer: list[float]) -> None:
    run = recurring.learn("falling=1000")["run"]
    assert (run["state"], run["reason"], run["champion"]) == ("Succeeded", "Source", FIRST)
    assert recurring.wait_answers(f"{MODEL}-v{run['number']}") != first_answer


def test_the_old_version_serves_again_when_its_world_is_back(team: Team, recurring: Recurring, first_answer: list[float]) -> None:
    second, versions = recurring.status()["live"]["version"], _versions(team)
    run = recurring.learn("rising=200")["run"]
    assert (run["state"], run["reason"], run["champion"]) == ("Returned", "Source", second)
    stages = {job["metadata"]["labels"]["mlmodel.dev/stage"] for job in team.jobs(MODEL, run=str(run["number"]))}
    assert stages <= {"Prepare", "Train"}
    assert recurring.wait_answers(FIRST) == first_answer
    assert _versions(team) == versions, "no version was made for it"
    assert team.version(second)["status"]["phase"] in ("Draining", "Retired")
    assert team.version(FIRST)["status"]["phase"] == "Live"


def _versions(team: Team) -> list[str]:
    return team.kubectl("get", "modelversions", f"--selector=mlmodel.dev/model={MODEL}", "-o", "name").split()


def test_status_events_and_explanation_say_why_it_came_back(team: Team, recurring: Recurring) -> None:
    (returned,) = decisions(recurring.status(), "Returned")
    assert returned["version"] == FIRST
    for words in (
        f"{FIRST} serves again: on the 200 labelled rows",
        "rmse differs from",
        "evidence e^",
        "no recipe fitted anew was better",
    ):
        assert words in returned["message"]
    assert "a recipe fitted anew that is better on them would have been served in its place" in returned["otherwise"]
    events = team.kubectl.json("get", "events", f"--field-selector=reason=Returned,involvedObject.name={MODEL}")["items"]
    assert [event["message"] for event in events] == [returned["message"]]
    printed = " ".join(team.kubectl.plugin("mlmodel", "explain", MODEL).split())
    assert f"Returned {FIRST}" in printed
    assert f"would have been otherwise: {' '.join(returned['otherwise'].split())}" in printed


def test_a_champion_that_is_still_the_best_is_kept(team: Team, recurring: Recurring, first_answer: list[float]) -> None:
    """The recipe fitted anew has learnt from both worlds, and is worse in the one that is back."""
    run = recurring.learn("rising=200")["run"]
    assert (run["state"], run["reason"], run["champion"]) == ("ChampionKept", "Source", FIRST)
    rejected = team.version(f"{MODEL}-v{run['number']}")
    assert rejected["spec"]["decision"]["reason"] == "ChampionBetter"
    assert rejected["spec"]["comparison"]["difference"]["low"] > 0
    assert rejected["status"]["phase"] == "Rejected"
    assert recurring.wait_answers(FIRST) == first_answer
    explained = json.loads(team.kubectl.plugin("mlmodel", "explain", MODEL, "-o", "json"))
    kept = next(one for one in explained["decisions"] if one["decision"] == "ChampionKept")
    assert "the champion is still the best" in kept["message"]
    assert f"enough to replace {FIRST}" in kept["otherwise"]
    assert kept["figures"]["comparison"] == rejected["spec"]["comparison"]


def test_that_is_no_failure_and_the_next_trigger_starts_a_run(recurring: Recurring) -> None:
    status = recurring.status()
    assert status["retraining"].get("failedInARow", 0) == 0
    assert condition(status, "RetrainingPaused") == "False"
    assert condition(status, "Ready") == condition(status, "DataValid") == "True"
    assert not condition(status, "Progressing", "reason").startswith("Run")
    run = recurring.learn("rising=200")["run"]
    assert run["reason"] == "Source"
    assert run["state"] in ("ChampionKept", "Succeeded", "Returned")
    assert condition(recurring.status(), "RetrainingPaused", "reason") != "GaveUp"
