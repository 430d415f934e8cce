"""What a run may end in: criteria, slices, the champion, the bundle's own check."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_contract.version import SliceMetrics

from tests.operator.support import manifests
from tests.operator.support.manifests import group, packaged, spec, verified
from tests.operator.support.story import Story

SLICED = spec(objective={"criteria": [{"metric": "roc_auc", "min": 0.7}], "slices": [{"column": "carrier", "minRows": 100}]})


def test_a_missed_criterion_rejects_the_version() -> None:
    story = Story()
    story.settle()
    story.run_through(packaged(roc_auc=0.65))

    assert story.run_state == "Rejected"
    assert story.live is None
    assert story.traffic is None
    assert story.version_status(1).phase == "Rejected"
    assert story.version(1).decision.reason == "CriterionMissed"
    assert story.version(1).decision.message == "roc_auc >= 0.7 was asked, the holdout gives 0.65 (95% between 0.64 and 0.66)"
    assert story.condition("Ready").status == "False"
    assert story.decisions == ["RunStarted", "Rejected"]


def test_a_metric_without_a_value_meets_nothing() -> None:
    story = Story(spec(objective={"criteria": [{"metric": "log_loss", "max": 0.6}]}))
    story.settle()
    story.run_through()
    assert story.run_state == "Rejected"
    assert "no value" in story.version(1).decision.message


@pytest.mark.parametrize(
    ("slices", "state"),
    [
        ([group("carrier", "AA", 300, 0.72)], "Succeeded"),
        ([group("carrier", "AA", 300, 0.6)], "Rejected"),
        ([group("carrier", "AA", 99, 0.6)], "Succeeded"),
        ([group("carrier", "AA", 300, 0.8), group("carrier", "UA", 100, 0.69)], "Rejected"),
    ],
)
def test_criteria_hold_in_each_slice_that_is_large_enough(slices: list[SliceMetrics], state: str) -> None:
    story = Story(SLICED)
    story.settle()
    story.run_through(packaged(slices=slices))
    assert story.run_state == state
    if state == "Rejected":
        assert story.version(1).decision.reason == "SliceMissed"
        assert f"carrier={slices[-1].value} ({slices[-1].rows} rows)" in story.version(1).decision.message


@pytest.mark.parametrize(
    ("difference", "champion", "state", "reason"),
    [
        ((-0.05, -0.08, -0.02), 0.75, "Succeeded", "BetterThanChampion"),
        ((-0.05, -0.12, 0.02), 0.75, "Rejected", "NotBetter"),
        ((0.03, 0.01, 0.05), 0.75, "Rejected", "NotBetter"),
        ((-0.05, -0.12, 0.02), 0.65, "Succeeded", "ChampionMissesCriteria"),
        ((0.03, -0.01, 0.05), 0.65, "Rejected", "NotBetter"),
    ],
)
def test_a_challenger_has_to_beat_the_champion(difference: tuple[float, float, float], champion: float, state: str, reason: str) -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="now")
    story.run_through(packaged(2, against="late-v1", difference=difference, champion_roc_auc=champion))

    assert story.run_state == state
    assert story.version(2).decision.reason == reason
    assert "late-v1" in story.version(2).decision.message
    assert story.live == "late-v1"
    if state == "Rejected":
        assert story.status.candidate is None
        assert story.version_status(2).phase == "Rejected"


def test_a_bundle_that_fails_its_own_check_is_never_served() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    story.ends(Stage.TRAIN)
    story.ends(Stage.PACKAGE)
    story.ends(Stage.VERIFY, verified("DigestDiffers"))

    assert story.run_state == "Rejected"
    assert story.version(1).decision.reason == "NotVerified"
    assert "DigestDiffers: DigestDiffers: pack the bundle again" in story.version(1).decision.message
    assert story.status.candidate is None


def test_nothing_to_package_fails_the_run() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE)
    story.ends(Stage.TRAIN)
    problem = manifests.prepared("NoTrial").problems
    story.ends(Stage.PACKAGE, packaged().model_copy(update={"problems": problem, "artifact": None}))
    assert story.run_state == "Failed"
    assert "NoTrial" in story.progress


def test_a_version_keeps_as_many_figures_as_it_has_room_for() -> None:
    story = Story(SLICED)
    story.settle()
    many = packaged(slices=[group("carrier", str(number), 300, 0.8) for number in range(60)])
    story.run_through(many.model_copy(update={"libraries": {f"library-{number}": "1" for number in range(40)}, "estimator": "x" * 300}))
    assert story.run_state == "Succeeded"
    made = story.version(1)
    assert (len(made.slices), len(made.libraries), len(made.estimator or "")) == (40, 32, 253)
