"""`kubectl mlmodel explain` as a user runs it: the operator decides on figures that a test makes up, and the plugin tells of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmodel_contract.run import PackageResult, ScoringResult, Stage
from mlmodel_contract.version import STANDARD_ERRORS_TO_LEAD, Estimate, Recipe, RecipeRecord, VersionScore, Worth
from mlmodel_operator.cluster.kinds import ML_MODEL, MODEL_VERSION

from tests.cli.support.api_server import ApiServer, serving
from tests.cli.support.screen import Screen
from tests.operator.support import manifests
from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import packaged, prepared, spec, trial
from tests.operator.support.model_lifecycle import ModelLifecycle

LEADER = Recipe(candidate="boosted", parameters={"learning_rate": "0.1"})
OTHER = RecipeRecord(recipe=Recipe(candidate="linear"), difference=0.02, variance=0.0001, rows=400, run=2)
RETRAINING = {
    "cooldown": "1h",
    "triggers": ["Drift", "Performance", "NewRows", "Age", "Source", "Schedule"],
    "maxAge": "60d",
    "schedule": "0 3 * * 0",
}
VALUE = {"outcomes": {"truePositive": 5, "falsePositive": -1}, "currency": "EUR"}


def learning(**changes: object) -> manifests.Body:
    """A manifest that learns from captured rows by every trigger, and says what a prediction is worth."""
    whole = spec(retraining=RETRAINING, objective={"criteria": [{"metric": "roc_auc", "min": 0.7}], "value": VALUE})
    whole["data"]["sources"].append({"captured": {}})
    return whole | changes


def made(
    run: int, *, difference: tuple[float, float, float] | None = None, same_recipe: bool = True, roc_auc: float = 0.8
) -> PackageResult:
    """A package with all its figures, beside the first version where a difference is given."""
    package = packaged(run, roc_auc, against="late-v1" if difference else None, difference=difference or (0, 0, 0))
    comparison = package.comparison
    return package.replace(
        comparison=comparison.replace(same_recipe=same_recipe) if comparison else None,
        baseline=Estimate(value=-0.2, low=-0.25, high=-0.15),
        worth=Worth(version=1.5, champion=1.2 if difference else None, baseline=0.5, currency="EUR"),
        fitted_rows=1_000,
        records=[RecipeRecord(recipe=LEADER), OTHER],
        fits=6,
    )


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    story = ModelLifecycle(learning())
    story.settle()
    story.run_through(made(1))
    story.ready("late-v1")
    server = ApiServer(story.api)
    with serving(server, tmp_path) as kubeconfig:
        yield Screen(server, kubeconfig, story)


def run_once_more(story: ModelLifecycle, number: int, package: PackageResult, *scores: VersionScore) -> None:
    """Let a person's run score versions, and make this package where none of them comes back."""
    story.annotate(retrain=f"run {number}")
    story.ends(Stage.PREPARE, prepared().replace(new_rows=200))
    story.ends(Stage.TRAIN, trial(0), trial(1), ScoringResult(champion=0.75, versions=list(scores)))
    if story.run_state == "Running":
        story.ends(Stage.PACKAGE, package)
        story.ends(Stage.VERIFY)


def entry(screen: Screen, decision: str) -> dict[str, object]:
    """The newest decision of this word, as scripts get it."""
    document = json.loads(screen.shown("explain", "late", "-o", "json"))
    return next(one for one in document["decisions"] if one["decision"] == decision)


def test_the_model_is_introduced_with_its_version_its_worth_and_its_criteria(screen: Screen) -> None:
    screen.story.reports("late-v1", LiveRows(2_000, labels=800, due=1_000))
    shown = " ".join(screen.shown("explain", "late").split())
    assert "Live: late-v1, since 2024-05-01T12:00:00Z, 1 pod ready" in shown
    assert "made by run 1 (Initial), boosted(learning_rate=0.1) on All rows, fitted on 1,000 until 2024-03-31T00:00:00Z" in shown
    assert "Worth: 1.5 EUR a prediction on the holdout, +1 beside a guess." in shown
    assert "Labels: 800 came back of 1,000 rows that are due" in shown
    assert "roc_auc >= 0.7" in shown


def test_decisions_come_newest_first_with_figures_and_what_would_have_changed_them(screen: Screen) -> None:
    run_once_more(screen.story, 2, made(2, difference=(-0.01, -0.03, 0.01)))
    screen.story.ready("late-v2")
    shown = " ".join(screen.shown("explain", "late").split())
    order = [shown.index(word) for word in ("Promoted late-v2", "Accepted late-v2", "run 2 (Manual): a", "Promoted late-v1")]
    assert order == sorted(order)
    assert "difference from late-v1 -0.0100 (-0.0300 to +0.0100); difference from a guess -0.2000" in shown
    assert "worth 1.5 EUR a prediction on the holdout, +1 beside a guess, +0.3 beside late-v1; 6 fits" in shown
    assert "would have been otherwise: above a difference of +0.0200 late-v1 would have been kept" in shown


@pytest.mark.parametrize(
    ("package", "word", "otherwise"),
    [
        (
            made(2, difference=(0.03, 0.01, 0.05), same_recipe=False),
            "ChampionKept",
            "a difference of +0.0200 or less would have been enough to replace late-v1",
        ),
        (made(2, difference=(-0.05, -0.08, -0.02), same_recipe=False), "Accepted", "above a difference of +0.0300 late-v1"),
        (made(2, difference=(0, 0, 0)), "Accepted", "another recipe that is better on the rows that came since"),
        (
            made(2, difference=(0.01, -0.1, 0.1)).replace(baseline=Estimate(value=0.02, low=0.01, high=0.03)),
            "Rejected",
            "a loss that is lower by 0.0100 would have been no worse than a guess beyond chance",
        ),
    ],
)
def test_a_verdict_says_by_how_much_it_could_have_been_another_one(
    screen: Screen, package: PackageResult, word: str, otherwise: str
) -> None:
    run_once_more(screen.story, 2, package)
    assert otherwise in str(entry(screen, word)["otherwise"])
    assert entry(screen, word)["run"] == 2


def test_the_difference_that_is_named_is_where_the_verdict_turns() -> None:
    for difference, state in (((0.0199, -0.0001, 0.04), "Succeeded"), ((0.0201, 0.0001, 0.04), "ChampionKept")):
        story = ModelLifecycle(learning())
        story.settle()
        story.run_through(made(1))
        story.ready("late-v1")
        run_once_more(story, 2, made(2, difference=difference, same_recipe=False))
        assert story.run_state == state
        words = {"Succeeded": "Accepted"}.get(state, state)
        assert next("+0.0200" in str(one.otherwise) for one in story.status.decisions if one.decision == words and one.run == 2)


def test_a_missed_criterion_names_the_value_that_was_needed(screen: Screen) -> None:
    strict = {"criteria": [{"metric": "roc_auc", "min": 0.75}], "onMiss": "KeepLive"}
    screen.story.edit(objective=strict)
    screen.story.run_through(made(2, roc_auc=0.7))
    otherwise = str(entry(screen, "Rejected")["otherwise"])
    assert otherwise.startswith("roc_auc of 0.74 or more would have kept what was asked; objective.onMiss: ServeBest")


def test_an_earlier_version_is_shown_with_its_evidence_and_its_return_with_the_limit(screen: Screen) -> None:
    story = screen.story
    run_once_more(story, 2, made(2, difference=(-0.01, -0.03, 0.01)))
    story.ready("late-v2")
    assert "no run has compared with the live one yet: late-v1" in " ".join(screen.shown("explain", "late").split())

    story.wait(hours=2)
    run_once_more(story, 3, made(3, difference=(0.03, 0.01, 0.05)), score(-0.02))
    known = json.loads(screen.shown("explain", "late", "-o", "json"))["versions"][0]
    assert 0 < known["evidence"] < known["needed"]
    shown = " ".join(screen.shown("explain", "late").split())
    assert f"e^{known['evidence']:.1f}" in shown
    assert f"e^{known['needed'] - known['evidence']:.1f}" in shown, "what is missing"

    story.wait(days=1)
    run_once_more(story, 4, made(4), score(-0.09))
    assert story.run_state == "Returned"
    returned = entry(screen, "Returned")
    assert returned["version"] == "late-v1"
    assert "the evidence would have stayed below e^3.0" in str(returned["otherwise"])


def score(difference: float) -> VersionScore:
    return VersionScore(version="late-v1", value=0.5, difference=difference, variance=0.0001, rows=200)


def test_recipes_are_shown_beside_the_leading_one(screen: Screen) -> None:
    run_once_more(screen.story, 2, made(2, difference=(-0.01, -0.03, 0.01)))
    shown = screen.shown("explain", "late")
    row = next(line for line in shown.splitlines() if "linear() on All" in line)
    assert all(figure in row for figure in ("+0.0200", "0.0100", f"{-0.01 * STANDARD_ERRORS_TO_LEAD:+.4f}", "400", "run 2"))


def test_what_comes_next_is_told_for_each_trigger_with_how_far_it_is(screen: Screen) -> None:
    screen.story.reports("late-v1", LiveRows(2_000, labels=60, due=100))
    shown = " ".join(screen.shown("explain", "late").split())
    assert "CoolingDown" in shown
    document = json.loads(screen.shown("explain", "late", "-o", "json"))
    expected = {one["reason"]: one for one in document["next"]}
    assert list(expected) == RETRAINING["triggers"]
    assert (document["labels"], expected["NewRows"]["labels"]) == (60, 150)
    assert "60 of 150" in shown
    assert expected["Age"]["time"] == "2024-05-30T00:00:00Z", "60 days after the newest row"
    assert expected["Source"]["time"] == "2024-05-02T12:00:00Z"
    assert expected["Schedule"]["time"] == "2024-05-05T03:00:00Z"
    assert "mlmodel.dev/retrain=<any new text>" in shown


def test_a_run_starts_where_the_explanation_said(screen: Screen) -> None:
    screen.story.wait(hours=2)
    screen.story.reports("late-v1", LiveRows(2_000, labels=149, due=150))
    assert screen.story.run_number == 1
    screen.story.reports("late-v1", LiveRows(2_000, labels=150, due=150), sequence=2)
    assert screen.story.run_number == 2
    started = entry(screen, "RunStarted")
    assert "150 labels came back since the last run" in str(started["message"])
    assert started["otherwise"] == "no run for it at fewer than 150 labels"


def test_labels_that_come_write_nothing_but_their_own_count(screen: Screen) -> None:
    screen.story.reports("late-v1", LiveRows(2_000, labels=60, due=100))
    before = screen.story.status.retraining.next
    screen.story.reports("late-v1", LiveRows(2_000, labels=62, due=100), sequence=2)
    assert screen.story.status.retraining.next == before


def test_a_spent_budget_is_told_with_the_time_at_which_it_is_free(screen: Screen) -> None:
    screen.story.edit(retraining=RETRAINING | {"budget": {"runsPerWeek": 1}})
    screen.story.wait(hours=2)
    document = json.loads(screen.shown("explain", "late", "-o", "json"))
    assert document["budgetFree"] == "2024-05-08T12:00:00Z"
    assert "BudgetSpent" in screen.shown("explain", "late")


def test_one_version_is_explained_alone_however_long_ago_it_was_judged(screen: Screen) -> None:
    run_once_more(screen.story, 2, made(2, difference=(-0.01, -0.03, 0.01)))
    screen.story.ready("late-v2")
    shown = screen.shown("explain", "late", "--version", "late-v2")
    assert "run 2 (Manual)" in shown
    assert "late-v1 drains" in " ".join(shown.split())
    assert "run 1" not in shown
    assert "What comes next" not in shown

    screen.story.api.change(ML_MODEL, "late", lambda body: body["status"].update(decisions=[]))
    shown = screen.shown("explain", "late", "--version", "late-v1")
    assert "CriteriaMet: no criterion is missed on the holdout" in shown
    assert "would have been otherwise: a loss that is higher by 0.2000" in shown


def test_an_unknown_name_is_answered_with_those_that_are_there(screen: Screen) -> None:
    assert screen.run("explain", "later") == (2, "Error: there is no MLModel later in the namespace team: there are late\n")
    assert screen.run("explain", "late", "--version", "late-v7") == (2, "Error: late has no version late-v7: there are late-v1\n")


def test_what_others_wrote_cannot_steer_the_terminal(screen: Screen) -> None:
    hostile = "a\x1b[31mb\r\u202ec[bold]"
    screen.story.api.change(MODEL_VERSION, "late-v1", lambda body: body["spec"].update(candidate=hostile))

    def spoil(body: manifests.Body) -> None:
        for one in body["status"]["decisions"]:
            one["message"] = one["otherwise"] = hostile
        body["status"]["retraining"]["next"][0]["message"] = hostile

    screen.story.api.change(ML_MODEL, "late", spoil)
    shown = screen.shown("explain", "late")
    assert not {"\x1b", "\r", "\u202e"} & set(shown)
    assert "a\\x1b[31mb\\r\\u202ec[bold]" in shown


def test_objects_of_another_release_name_the_remedy(screen: Screen) -> None:
    screen.story.api.change(ML_MODEL, "late", lambda body: body["status"].update(decisions="many"))
    code, output = screen.run("explain", "late")
    assert (code, output) == (1, "Error: the objects of late cannot be read: install the kubectl-mlmodel of the operator's release\n")


def test_a_model_without_decisions_says_so(tmp_path: Path) -> None:
    story = ModelLifecycle()
    with serving(ApiServer(story.api), tmp_path) as kubeconfig:
        code, output = Screen(ApiServer(story.api), kubeconfig, story).run("explain", "late")
    assert (code, output) == (1, "Error: nothing was decided about late yet: is the operator running?\n")
