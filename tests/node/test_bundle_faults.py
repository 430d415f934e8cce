"""Bundles that were made elsewhere: a good one serves; one that is not what it says, or may not be loaded, never does."""

import json
from collections.abc import Iterator

import pytest

from tests.node.support import manifests
from tests.node.support.team import Team, condition, output

NO_DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def imported(team: Team, steady: str) -> Iterator[None]:
    """Models of the bundle of the steady model's version, as it is and spoilt, all at once."""
    store = team.version(f"{steady}-v1")["spec"]["artifact"]["uri"].removeprefix("pvc://")
    claim, _, folder = store.partition("/")
    command = manifests.script("bundles", f"/store/{folder}")
    pod = manifests.script_pod("copies-bundles", team.server_image, command, claims={"/store": claim}, secret=manifests.STORAGE)
    digests = json.loads(team.run_pod(pod))
    team.apply(
        manifests.external("good", "good", digests["good"]),
        manifests.external("other-digest", "good", NO_DIGEST),
        manifests.external("forbidden-type", "forbidden", digests["forbidden"]),
        manifests.external("other-golden-rows", "golden", digests["golden"]),
    )
    yield
    team.delete_models(["good", "other-digest", "forbidden-type", "other-golden-rows"])


@pytest.mark.usefixtures("imported")
def test_a_good_bundle_serves_what_its_maker_serves(team: Team, steady: str) -> None:
    assert team.wait_live("good") == "good-v1"
    answer, original = team.predict("good"), team.predict(steady)
    assert (answer["model_version"], original["model_version"]) == ("good-v1", "steady-v1")
    assert output(answer, "predict_proba") == output(original, "predict_proba")
    assert condition(team.status("good"), "RetrainingPaused", "reason") == "NotTrainedHere"


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("other-digest", ["DigestDiffers", NO_DIGEST], id="wrong digest"),
        pytest.param("forbidden-type", ["ForbiddenType", "os.system"], id="forbidden type"),
        pytest.param("other-golden-rows", ["GoldenRowsDiffer", "golden row"], id="golden rows differ"),
    ],
)
def test_a_bad_bundle_never_serves(team: Team, name: str, words: list[str]) -> None:
    team.wait(lambda: team.status(name).get("run", {}).get("state") in ("Rejected", "Failed"), f"the bundle of {name} is refused")
    status = team.status(name)
    assert status["run"]["state"] == "Rejected"
    for word in words:
        assert word in condition(status, "Ready", "message")
    assert "live" not in status
    assert "candidate" not in status
    assert team.kubectl("get", "deployments,services", f"--selector=mlmodel.dev/model={name}", "-o", "name") == ""
