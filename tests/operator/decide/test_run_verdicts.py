"""What a run may end in: criteria, slices, the champion, the bundle's own check."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_contract.version import SliceMetrics

from tests.operator.support import manifests
from tests.operator.support.manifests import group, packaged, spec, verified
from tests.operator.support.model_lifecycle import ModelLifecycle

SLICED = spec(objective={"criteria": [{"metric": "roc_auc", "min": 0.7}], "slices": [{"column": "carrier", "minRows": 100}]})


def test_a_missed_criterion_rejects_the_version() -> None:
    model = ModelLifecycle()
    model.settle()
    model.run_through(packaged(roc_auc=0.65))

    assert model.run_state == "Rejected"
    assert model.live is None
    assert model.traffic is None
    assert model.version_status(1).phase == "Rejected"
    assert model.version(1).decision.reason == "CriterionMissed"
    assert model.version(1).decision.message == "roc_auc >= 0.7 was asked, the holdout gives 0.65 (95% between 0.64 and 0.66)"
    assert model.condition("Ready").status == "False"
    assert model.decisions == ["RunStarted", "Rejected"]


def test_a_metric_without_a_value_meets_nothing() -> None:
    model = ModelLifecycle(spec(objective={"criteria": [{"metric": "log_loss", "max": 0.6}]}))
    model.settle()
    model.run_through()
    assert model.run_state == "Rejected"
    assert "no value" in model.version(1).decision.message


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
    model = ModelLifecycle(SLICED)
    model.settle()
    model.run_through(packaged(slices=slices))
    assert model.run_state == state
    if state == "Rejected":
        assert model.version(1).decision.reason == "SliceMissed"
        assert f"carrier={slices[-1].value} ({slices[-1].rows} rows)" in model.version(1).decision.message


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
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.run_through(packaged(2, against="late-v1", difference=difference, champion_roc_auc=champion))

    assert model.run_state == state
    assert model.version(2).decision.reason == reason
    assert "late-v1" in model.version(2).decision.message
    assert model.live == "late-v1"
    if state == "Rejected":
        assert model.status.candidate is None
        assert model.version_status(2).phase == "Rejected"


def test_a_bundle_that_fails_its_own_check_is_never_served() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    model.ends(Stage.TRAIN)
    model.ends(Stage.PACKAGE)
    model.ends(Stage.VERIFY, verified("DigestDiffers"))

    assert model.run_state == "Rejected"
    assert model.version(1).decision.reason == "NotVerified"
    assert "DigestDiffers: DigestDiffers: pack the bundle again" in model.version(1).decision.message
    assert model.status.candidate is None


def test_nothing_to_package_fails_the_run() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    model.ends(Stage.TRAIN)
    problem = manifests.prepared("NoTrial").problems
    model.ends(Stage.PACKAGE, packaged().replace(problems=problem, artifact=None))
    assert model.run_state == "Failed"
    assert "NoTrial" in model.progress


def test_a_version_keeps_as_many_figures_as_it_has_room_for() -> None:
    model = ModelLifecycle(SLICED)
    model.settle()
    many = packaged(slices=[group("carrier", str(number), 300, 0.8) for number in range(60)])
    model.run_through(many.replace(libraries={f"library-{number}": "1" for number in range(40)}, estimator="x" * 300))
    assert model.run_state == "Succeeded"
    made = model.version(1)
    assert (len(made.slices), len(made.libraries), len(made.estimator or "")) == (40, 32, 253)
