"""Data that must not be learnt from: `DataValid=False` with a sentence that says what to do, nothing trained, what is live stays live."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.node.support import manifests
from tests.node.support.manifests import STORAGE, Body
from tests.node.support.team import Team, condition


@dataclass(frozen=True)
class Case:
    """A bad source; `words` must stand in the sentence."""

    name: str
    uri: str
    words: tuple[str, ...]

    def model(self) -> Body:
        source = {"uri": self.uri} | ({"credentials": STORAGE} if self.uri.startswith("s3://") else {})
        return manifests.model(self.name, data={"sources": [source]}, retraining={"giveUpAfter": 1})


BATCHES = (  # three at a time are enough for two cores
    (
        Case("missing", "pvc://data/nowhere.csv", ("SourceMissing", "pvc://data/nowhere.csv", "correct the address")),
        Case("garbage", "pvc://data/garbage.parquet", ("SourceUnreadable", "garbage.parquet", "not of the format that its name says")),
        Case("empty", "pvc://data/empty.csv", ("SourceEmpty", "pvc://data/empty.csv", "put data there")),
    ),
    (
        Case("lacks", "s3://team/lacks.parquet", ("MissingColumn", "s3://team/lacks.parquet", "'z'")),
        Case("wrong", "pvc://data/wrong.csv", ("WrongType", "'x'", "much")),
        Case("ranges", "s3://team/ranges.parquet", ("OutOfRange", "'x'", "1000", "correct the data, or the column's min and max")),
    ),
)


@pytest.fixture(scope="module")
def batch(request: pytest.FixtureRequest, team: Team) -> Iterator[None]:
    """The models of a batch, all at work at once."""
    cases = BATCHES[request.param]
    team.apply(*(case.model() for case in cases))
    yield
    team.delete_models(case.name for case in cases)


@pytest.mark.parametrize(
    ("batch", "case"),
    [pytest.param(number, case, id=case.name) for number, cases in enumerate(BATCHES) for case in cases],
    indirect=["batch"],
)
@pytest.mark.usefixtures("batch")
def test_nothing_is_trained_on(team: Team, case: Case) -> None:
    team.wait(lambda: condition(team.status(case.name), "DataValid") == "False", f"the data of {case.name} is refused")
    status = team.status(case.name)
    sentence = condition(status, "DataValid", "message")
    for word in case.words:
        assert word in sentence
    assert condition(status, "Ready", "message") == sentence
    assert status["run"]["state"] == "DataInvalid"
    assert [job["metadata"]["name"] for job in team.jobs(case.name)] == [f"{case.name}-r1-prepare"]
    assert team.kubectl("get", "modelversions", f"--selector=mlmodel.dev/model={case.name}", "-o", "name") == ""


def test_what_is_live_stays_live(team: Team, steady: str) -> None:
    before, pods = team.status(steady), team.pods(steady, version="steady-v1")
    team.run_script("fill", "live", "bad")
    team.annotate(steady, retrain="on bad data")
    team.wait(lambda: team.status(steady)["run"]["state"] == "DataInvalid", "the bad data is refused")
    team.run_script("fill", "live", "good")
    status = team.status(steady)
    assert "OutOfRange" in condition(status, "DataValid", "message")
    assert condition(status, "Ready") == "True"
    assert status["live"] == before["live"]
    assert [pod["metadata"]["uid"] for pod in team.pods(steady, version="steady-v1")] == [pod["metadata"]["uid"] for pod in pods]
    assert team.predict(steady)["model_version"] == "steady-v1"
