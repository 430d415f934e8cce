"""Trainers that die: reason and last line of the log are in the status, and they are tried again so often as the manifest says, no more."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.node.support import manifests
from tests.node.support.team import Team, condition

RETRIES = 1
_ONCE = {"giveUpAfter": 1}


@pytest.fixture(scope="module")
def dying(team: Team) -> Iterator[None]:
    """Models whose trainers die in different ways, all at once; what makes one of them crash is a file where its store needs a folder."""
    boosted = {"name": "boosted", "estimator": "sklearn.ensemble.GradientBoostingClassifier", "parameters": {"n_estimators": 1_000_000}}
    endless = {"timeout": "20s", "candidates": [boosted]}
    memory = {"resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": "48Mi"}}}
    locked_out = {"sources": [{"uri": "s3://team/live/rows.parquet", "credentials": "wrong-keys"}]}
    crashing = manifests.model("crashing", suspend=True, retraining=_ONCE)
    team.apply(
        manifests.model("hungry", training=memory, retraining=_ONCE),
        manifests.model("slow", training=endless, retraining=_ONCE),
        manifests.model("locked-out", data=locked_out, retraining=_ONCE),
        crashing,
    )
    team.wait(lambda: team.kubectl.find("pvc", "crashing-store"), "the store of crashing is there")
    command = ["sh", "-c", "echo this is no folder > /store/runs"]
    team.run_pod(manifests.script_pod("spoils-the-store", team.server_image, command, claims={"/store": "crashing-store"}))
    crashing["spec"]["suspend"] = False
    team.apply(crashing)
    yield
    team.delete_models(["hungry", "slow", "locked-out", "crashing"])


@pytest.mark.usefixtures("dying")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("hungry", ["OOMKilled", "training.resources.limits.memory"], id="killed by its memory limit"),
        pytest.param("crashing", ["last line of its log", "pvc://crashing-store/runs"], id="crashes"),
    ],
)
def test_a_dying_trainer_is_tried_again_and_then_reported(team: Team, name: str, words: list[str]) -> None:
    team.wait(lambda: condition(team.status(name), "Progressing", "reason") == "RunFailed", f"the run of {name} fails")
    sentence = condition(team.status(name), "Progressing", "message")
    for word in words:
        assert word in sentence
    assert len(team.pods(name, run="1", stage="Prepare")) == 1 + RETRIES
    assert [job["metadata"]["name"] for job in team.jobs(name)] == [f"{name}-r1-prepare"]
    assert condition(team.status(name), "RetrainingPaused", "reason") == "GaveUp"


@pytest.mark.usefixtures("dying")
def test_a_trainer_that_takes_too_long_is_ended_tried_again_and_then_reported(team: Team) -> None:
    team.wait(lambda: condition(team.status("slow"), "Progressing", "reason") == "RunFailed", "the run of slow fails")
    sentence = condition(team.status("slow"), "Progressing", "message")
    for word in ("DeadlineExceeded: timed out; raise training.timeout", "last line of its log"):
        assert word in sentence
    assert "boosted" in sentence.rsplit("last line of its log", 1)[1]
    assert len(team.pods("slow", run="1", stage="Train")) == 1 + RETRIES
    assert not _active(team, "slow")


def _active(team: Team, name: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in team.pods(name) if pod["status"]["phase"] in ("Pending", "Running")]


@pytest.mark.usefixtures("dying")
def test_wrong_keys_are_reported_with_the_address(team: Team) -> None:
    team.wait(lambda: condition(team.status("locked-out"), "DataValid") == "False", "the source is refused")
    sentence = condition(team.status("locked-out"), "DataValid", "message")
    for word in ("SourceForbidden", "s3://team/live/rows.parquet", "check the keys in the Secret"):
        assert word in sentence
    runs = Counter(pod["metadata"]["labels"]["mlmodel.dev/run"] for pod in team.pods("locked-out"))  # bad data is looked at again
    assert set(runs.values()) == {1}, "a refusal is no crash that would be tried again"
