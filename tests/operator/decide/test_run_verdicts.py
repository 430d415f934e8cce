"""What a run may end in: the baseline, criteria, slices, the champion, the bundle's own check."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_contract.version import SliceMetrics

from tests.operator.support import manifests
from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import KEEP_LIVE, Body, group, packaged, spec, verified
from tests.operator.support.model_lifecycle import ModelLifecycle


def sliced(on_miss: str = "ServeBest") -> Body:
    return spec(objective=KEEP_LIVE | {"onMiss": on_miss, "slices": [{"column": "carrier", "minRows": 100}]})


def test_where_no_version_keeps_a_criterion_the_best_there_is_serves_and_says_so() -> None:
    model = ModelLifecycle()
    model.settle()
    model.run_through(packaged(roc_auc=0.65))
    model.ready("late-v1")

    assert (model.run_state, model.live) == ("Succeeded", "late-v1")
    assert model.version(1).decision.reason == "BestThereIs"
    assert "roc_auc >= 0.7 was asked, the holdout gives 0.65 (95% between 0.64 and 0.66)" in model.version(1).decision.message
    model.reports("late-v1", LiveRows(rows=100))
    met = model.condition("ObjectiveMet")
    assert (met.status, met.reason) == ("False", "CriterionMissed")
    assert "0.65" in met.message


def test_a_manifest_may_ask_that_nothing_changes_where_a_criterion_is_missed() -> None:
    model = ModelLifecycle(spec(objective=KEEP_LIVE))
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


@pytest.mark.parametrize(("roc_auc", "state"), [(0.705, "Succeeded"), (0.695, "Succeeded"), (0.691, "Succeeded"), (0.689, "Rejected")])
def test_a_criterion_is_missed_only_by_the_whole_of_the_interval(roc_auc: float, state: str) -> None:
    model = ModelLifecycle(spec(objective=KEEP_LIVE))
    model.settle()
    model.run_through(packaged(roc_auc=roc_auc))  # it is known up to 0.01
    assert model.run_state == state


@pytest.mark.parametrize(("on_miss", "reason"), [("ServeBest", "BestThereIs"), ("KeepLive", "CriterionMissed")])
def test_a_metric_without_a_value_is_missed(on_miss: str, reason: str) -> None:
    model = ModelLifecycle(spec(objective={"criteria": [{"metric": "log_loss", "max": 0.6}], "onMiss": on_miss}))
    model.settle()
    model.run_through()
    assert model.version(1).decision.reason == reason
    assert "no value" in model.version(1).decision.message


@pytest.mark.parametrize(
    ("slices", "state"),
    [
        ([group("carrier", "AA", 300, 0.72)], "Succeeded"),
        ([group("carrier", "AA", 300, 0.6, missed=True)], "Rejected"),
        ([group("carrier", "AA", 300, 0.6)], "Succeeded"),  # by its points alone, which chance may explain
        ([group("carrier", "AA", 300, 0.8), group("carrier", "UA", 100, 0.5, missed=True)], "Rejected"),
    ],
)
def test_criteria_hold_in_each_slice_that_is_not_shown_to_miss_them(slices: list[SliceMetrics], state: str) -> None:
    model = ModelLifecycle(sliced("KeepLive"))
    model.settle()
    model.run_through(packaged(slices=slices))
    assert model.run_state == state
    if state == "Rejected":
        assert model.version(1).decision.reason == "SliceMissed"
        assert f"carrier={slices[-1].value} ({slices[-1].rows} rows)" in model.version(1).decision.message


def test_a_missed_slice_is_told_of_the_best_there_is() -> None:
    model = ModelLifecycle(sliced("ServeBest"))
    model.settle()
    model.run_through(packaged(slices=[group("carrier", "AA", 300, 0.6, missed=True)]))
    assert (model.run_state, model.version(1).decision.reason) == ("Succeeded", "BestThereIs")
    assert "carrier=AA (300 rows)" in model.version(1).decision.message


@pytest.mark.parametrize("on_miss", ["ServeBest", "KeepLive"])
def test_a_version_that_is_no_better_than_a_guess_never_serves(on_miss: str) -> None:
    model = ModelLifecycle(spec(objective=KEEP_LIVE | {"onMiss": on_miss}))
    model.settle()
    model.run_through(packaged(baseline=0.02))
    assert (model.run_state, model.live) == ("Rejected", None)
    assert model.version(1).decision.reason == "BaselineNotBeaten"
    assert "+0.02" in model.version(1).decision.message


@pytest.mark.parametrize(
    ("difference", "state", "reason"),
    [
        ((-0.05, -0.08, -0.02), "Succeeded", "BetterThanChampion"),
        ((-0.05, -0.12, 0.02), "Succeeded", "BetterRecipe"),  # the lesser evil, as far as is known
        ((0.01, -0.06, 0.08), "Rejected", "BaselineNotBeaten"),
    ],
)
def test_a_version_worse_than_a_guess_serves_only_in_place_of_one_that_is_worse_still(
    difference: tuple[float, float, float], state: str, reason: str
) -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.run_through(packaged(2, against="late-v1", difference=difference, baseline=0.02))
    assert (model.run_state, model.version(2).decision.reason) == (state, reason)


@pytest.mark.parametrize(
    ("difference", "same_recipe", "state", "reason"),
    [
        ((-0.05, -0.08, -0.02), False, "Succeeded", "BetterThanChampion"),
        ((-0.05, -0.12, 0.02), False, "Succeeded", "BetterRecipe"),
        ((-0.05, -0.12, 0.02), True, "Succeeded", "Fresher"),
        ((0.02, -0.01, 0.05), False, "Succeeded", "BetterRecipe"),  # it leads by more comparisons than this one
        ((0.02, -0.01, 0.05), True, "Succeeded", "Fresher"),  # newer is better until it is shown to be worse
        ((0.0, 0.0, 0.0), True, "Succeeded", "Fresher"),
        ((0.03, 0.01, 0.05), False, "ChampionKept", "ChampionBetter"),
        ((0.03, 0.01, 0.05), True, "ChampionKept", "ChampionBetter"),
    ],
)
def test_a_challenger_serves_unless_it_is_shown_to_be_worse(
    difference: tuple[float, float, float], same_recipe: bool, state: str, reason: str
) -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.run_through(packaged(2, against="late-v1", difference=difference, same_recipe=same_recipe))

    assert model.run_state == state
    assert model.version(2).decision.reason == reason
    assert "late-v1" in model.version(2).decision.message
    assert model.live == "late-v1"
    if state == "ChampionKept":
        assert model.status.candidate is None
        assert model.version_status(2).phase == "Rejected"
        assert model.decisions[-1] == "ChampionKept"
        assert model.condition("Progressing").reason == "Idle", "it is a good end: nothing is to be repaired"


def test_a_better_version_that_misses_a_criterion_replaces_a_worse_one() -> None:
    """The live one misses it by more: refusing the lesser evil would keep the greater one."""
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.run_through(packaged(2, roc_auc=0.65, against="late-v1", champion_roc_auc=0.6))
    assert (model.run_state, model.version(2).decision.reason) == ("Succeeded", "BetterThanChampion")
    assert "roc_auc >= 0.7 was asked" in model.version(2).decision.message


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
    model = ModelLifecycle(sliced())
    model.settle()
    many = packaged(slices=[group("carrier", str(number), 300, 0.8) for number in range(60)])
    model.run_through(many.replace(libraries={f"library-{number}": "1" for number in range(40)}, estimator="x" * 300))
    assert model.run_state == "Succeeded"
    made = model.version(1)
    assert (len(made.slices), len(made.libraries), len(made.estimator or "")) == (40, 32, 253)
