"""How soon the next run comes that nobody asked for, what holds it back, and what starts one after the operator gave up."""

import random
from datetime import timedelta
from typing import Any

import pytest
from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.manifest import Window
from mlmodel_contract.run import PrepareResult, ScoringResult, Stage
from mlmodel_contract.version import VersionScore
from mlmodel_operator.cluster.kinds import MODEL_VERSION, MONITOR_REPORT
from mlmodel_operator.decide.pace import due_rows

from tests.operator.support import fake_controllers
from tests.operator.support.fake_controllers import LiveRows, killed
from tests.operator.support.manifests import Body, packaged, prepared, recipe, records, scored, spec, trial
from tests.operator.support.model_lifecycle import ModelLifecycle

CAPTURED = spec()["data"] | {"sources": [{"uri": "s3://airline/flights/*.parquet"}, {"captured": {}}]}
WORSE = (0.1, 0.05, 0.15)
HARMED = LiveRows(rows=2000, labels=1500, loss=2.0)
LEARNT_FROM = 1000  # rows of the first run


def live(parts: Body | None = None, **retraining: Any) -> ModelLifecycle:
    """A model whose first run has left recipes, the cooldown after it being over."""
    model = ModelLifecycle((parts or spec()) | {"retraining": {"cooldown": "1h"} | retraining})
    model.go_live(packaged(competing=records()))
    model.wait(hours=1)
    return model


def reason(model: ModelLifecycle) -> str | None:
    return model.status.run.reason if model.status.run else None


def labelled(model: ModelLifecycle, labels: int, sequence: int = 1) -> None:
    """Let so many labels of the live version have come back, none of them telling of anything."""
    assert model.live is not None
    model.reports(model.live, LiveRows(rows=2 * labels, labels=labels, loss=0.5), sequence=sequence)


def ends(model: ModelLifecycle, *, worse: bool, scoring: ScoringResult | None = None, data: PrepareResult | None = None) -> None:
    """Let the present run end in a version that serves or, where it is worse, in the champion."""
    number, champion = model.run_number, model.live
    rows = data or prepared(rows=LEARNT_FROM + 200, new=200, end=format_time(model.now))
    difference = WORSE if worse else (0.0, -0.05, 0.05)
    package = packaged(number, against=champion, difference=difference, same_recipe=True, competing=records())
    model.run_through(package, prepared=rows, trained=[trial(0), scoring or scored()])
    if not worse:
        model.ready(f"late-v{number}")
        assert model.live == f"late-v{number}"


def crashes(model: ModelLifecycle) -> None:
    fake_controllers.fail(model.api, model.run_number, Stage.PREPARE, model.now, killed())
    model.settle()


def wait_for_run(model: ModelLifecycle, number: int) -> timedelta:
    """Let time pass as the operator asks to be called again, until a run has begun; return how long it took."""
    began = model.now
    while model.run_number < number:
        pause = model.settle().requeue_after
        assert pause is not None, f"nothing would call the operator again, and run {number} never begin"
        assert model.now - began < timedelta(days=400), f"run {number} did not begin: {model.condition('RetrainingPaused')}"
        model.wait(seconds=pause)
    return model.now - began


# New rows.


def test_enough_labels_that_came_back_start_a_run() -> None:
    model = live(spec(data=CAPTURED))
    labelled(model, 20)
    assert model.run_number == 1
    labelled(model, LEARNT_FROM, sequence=2)
    assert (model.run_number, reason(model)) == (2, "NewRows")
    assert model.status.run is not None
    assert model.status.run.message.startswith("1,000 labels came back since the last run")


def test_labels_that_a_run_began_with_are_not_waited_for_again() -> None:
    model = live(spec(data=CAPTURED))
    labelled(model, LEARNT_FROM)
    ends(model, worse=True)
    model.wait(days=7)
    assert model.run_number == 2
    labelled(model, 2 * LEARNT_FROM + 500, sequence=2)
    assert (model.run_number, reason(model)) == (3, "NewRows")


def test_labels_that_are_dropped_with_the_version_that_had_them_are_not_waited_for_once_more() -> None:
    model = live(spec(data=CAPTURED))
    labelled(model, 20 * LEARNT_FROM)
    ends(model, worse=False)
    model.wait(days=7)
    model.api.change(MODEL_VERSION, "late-v1", lambda body: body["status"].update(evidence=None, drift=None))
    model.api.remove(MONITOR_REPORT, "late-v1-0")
    model.settle()
    labelled(model, LEARNT_FROM)
    assert (model.run_number, reason(model)) == (3, "NewRows")


def test_a_run_that_kept_the_champion_lets_more_rows_be_waited_for() -> None:
    model = live(spec(data=CAPTURED))
    model.annotate(retrain="second")
    before = due_rows(model.status.retraining)
    ends(model, worse=True)
    assert model.run_state == "ChampionKept"
    assert before < due_rows(model.status.retraining) < 1.5 * before


@pytest.mark.parametrize("parts", [spec(), spec(data=CAPTURED)])
def test_labels_start_no_run_where_they_are_not_learnt_from_or_not_asked_for(parts: Body) -> None:
    asked = {} if parts == spec() else {"triggers": ["Drift", "Performance"]}
    model = live(parts, **asked)
    labelled(model, 5 * LEARNT_FROM)
    assert model.run_number == 1


def before_it(version: str, difference: float, worth: float | None = None) -> VersionScore:
    """The version that was made before the live one, on the 200 rows that came since; above zero it is worse."""
    return VersionScore(version=version, value=0.5 + difference, difference=difference, variance=1e-6, rows=200, worth=worth)


def waits_for(gain: float, worth: float | None = None, **changes: Any) -> tuple[int, int]:
    """The rows that a run waits for before and after one that has shown the gain of the live version over the one before it."""
    model = live(spec(data=CAPTURED, **changes.pop("spec", {})), **changes)
    model.annotate(retrain="second")
    ends(model, worse=False, data=prepared(rows=1200, new=200, end=format_time(model.now)).replace(cpu_seconds=360.0))
    before = due_rows(model.status.retraining)
    model.annotate(retrain="third")
    ends(model, worse=False, scoring=scored(0.5, before_it("late-v1", gain, worth)))
    return before, due_rows(model.status.retraining)


def test_runs_come_later_where_they_bring_nothing_and_sooner_again_where_they_bring_much() -> None:
    model = live(spec(data=CAPTURED))
    waits = [due_rows(model.status.retraining)]
    for number, gain in enumerate([0.0, 0.0, 0.05, 0.05, 0.05], 2):
        model.annotate(retrain=f"run {number}")
        data = prepared(rows=1000 + 200 * number, new=200, end=format_time(model.now))
        ends(model, worse=False, data=data, scoring=scored(0.5, before_it(f"late-v{max(1, number - 2)}", gain)))
        waits.append(due_rows(model.status.retraining))
    first, _, later, *sooner = waits
    assert later > first, waits
    assert later > sooner[0] >= sooner[-1] == first, waits


def test_fewer_rows_are_waited_for_the_more_a_fresh_version_earns_and_the_less_a_run_costs() -> None:
    value = {"spec": {"objective": spec()["objective"] | {"value": {"outcomes": {"truePositive": 1}, "currency": "EUR"}}}}
    _, usual = waits_for(0.01, worth=-0.01, pricePerCpuHour=1.0, **value)
    _, dear = waits_for(0.01, worth=-0.01, pricePerCpuHour=3.0, **value)
    _, worthy = waits_for(0.01, worth=-0.05, pricePerCpuHour=1.0, **value)
    assert worthy < usual < dear


# The pause after a run.


def test_the_pause_doubles_while_runs_bring_nothing_and_no_further_than_32_times() -> None:
    model = live(budget={"runsPerWeek": 1000})
    model.reports("late-v1", HARMED)
    pauses = []
    for number in range(2, 10):
        assert model.run_number == number
        ends(model, worse=True)
        pauses.append(wait_for_run(model, number + 1) / timedelta(hours=1))
    assert pauses[:5] == [2, 4, 8, 16, 32]
    assert set(pauses[5:]) == {32}
    assert model.condition("RetrainingPaused").reason != "GaveUp"


def test_a_loss_that_rises_is_not_held_back_by_what_earlier_runs_did_not_bring() -> None:
    model = live(triggers=["Schedule", "Performance"], schedule="0 * * * *")
    labelled(model, 1500)
    for number in range(2, 7):
        wait_for_run(model, number)
        ends(model, worse=True)
    assert parse_time(str(model.status.retraining.not_before)) - model.now == timedelta(hours=32)
    model.wait(hours=2)
    model.reports("late-v1", LiveRows(rows=4000, labels=2000, loss=0.65), sequence=2)
    model.wait(hours=2)
    assert (model.run_number, reason(model)) == (7, "Performance")


def test_while_the_rows_since_a_change_compete_further_runs_follow_soon() -> None:
    model = live(spec(data=CAPTURED), triggers=["Performance"])
    labelled(model, 1500)
    model.wait(hours=5)
    model.reports("late-v1", LiveRows(rows=4000, labels=1600, loss=0.9), sequence=2)
    model.wait(hours=2)
    assert reason(model) == "Performance"
    changed = recipe().replace(window=Window.SINCE_CHANGE, since=model.competition.change)
    package = packaged(2, against="late-v1", made_by=changed, competing=records(changed))
    data = prepared(rows=2600, new=1600, end=format_time(model.now))
    model.run_through(package, prepared=data, trained=[trial(0), scored()])
    model.ready("late-v2")
    assert due_rows(model.status.retraining) == 100, "as many as came since then"
    assert due_rows(model.status.retraining.replace(change=None)) == 150


def test_a_version_that_goes_live_ends_the_doubling() -> None:
    model = live()
    model.reports("late-v1", HARMED)
    for number in (2, 3):
        ends(model, worse=True)
        wait_for_run(model, number + 1)
    ends(model, worse=False)
    assert model.status.retraining.not_before is not None
    assert parse_time(model.status.retraining.not_before) - model.now == timedelta(hours=1)


def test_bad_data_is_looked_at_again_at_the_same_pace() -> None:
    model = live()
    model.reports("late-v1", HARMED)
    for number in range(2, 6):
        model.ends(Stage.PREPARE, prepared("WrongType"))
        assert wait_for_run(model, number + 1) == timedelta(hours=1)


# The week's budget.


def test_no_more_runs_begin_in_a_week_than_the_budget_allows() -> None:
    model = live(budget={"runsPerWeek": 3})
    began = [model.now - timedelta(hours=1)]  # the first run
    model.reports("late-v1", HARMED)
    for number in range(2, 9):
        wait_for_run(model, number)
        began.append(model.now)
        ends(model, worse=True)
    assert all(fourth - first >= timedelta(days=7) for first, fourth in zip(began, began[3:], strict=False))
    assert began[-1] - began[0] < timedelta(days=22), "and no fewer where there is a cause"


def test_a_spent_budget_is_told_with_the_time_when_it_is_free_again() -> None:
    model = live(budget={"runsPerWeek": 1})
    model.reports("late-v1", HARMED)
    paused = model.condition("RetrainingPaused")
    assert (model.run_number, paused.status, paused.reason) == (1, "False", "BudgetSpent")
    assert "retraining.budget" in paused.message
    assert paused.message.endswith("2024-05-08T12:00:00Z"), "a week after the first run"
    assert wait_for_run(model, 2) == timedelta(days=7) - timedelta(hours=1)
    assert reason(model) == "Performance"


def test_hours_of_processors_are_bounded_too() -> None:
    model = live(budget={"cpuHoursPerWeek": 2})
    model.annotate(retrain="dear")
    ends(model, worse=False, data=prepared(rows=1200, new=200, end=format_time(model.now)).replace(cpu_seconds=3 * 3600.0))
    model.wait(hours=2)
    model.reports("late-v2", HARMED)
    assert (model.run_number, model.condition("RetrainingPaused").reason) == (2, "BudgetSpent")
    model.wait(days=8)
    assert (model.run_number, reason(model)) == (3, "Performance")


def test_a_person_needs_no_budget() -> None:
    model = live(budget={"runsPerWeek": 1})
    for number in (2, 3):
        model.annotate(retrain=f"request {number}")
        assert (model.run_number, reason(model)) == (number, "Manual")
        ends(model, worse=True)


# Age and source.


def test_a_row_that_is_too_old_starts_a_run() -> None:
    model = live(triggers=["Age"], maxAge="60d")  # the newest row of the first run is of the end of March
    model.wait(days=20)
    assert model.run_number == 1
    wait_for_run(model, 2)
    assert reason(model) == "Age"
    assert timedelta(0) < model.now - parse_time("2024-05-30T00:00:00Z") < timedelta(hours=1)
    ends(model, worse=False)
    assert timedelta(0) < wait_for_run(model, 3) - timedelta(days=60) < timedelta(hours=1)


def test_sources_are_read_as_often_as_is_asked_and_learnt_from_where_they_changed() -> None:
    model = live(triggers=["Source"], sourceCheck="1d")
    for number in (2, 3, 4):
        assert timedelta(hours=22) <= wait_for_run(model, number) <= timedelta(hours=25)
        assert reason(model) == "Source"
        model.ends(Stage.PREPARE, prepared())
        assert model.run_state == "Unchanged"
    wait_for_run(model, 5)
    ends(model, worse=False)
    assert model.live == "late-v5"


# Giving up, and what is new since.


def given_up(reports: LiveRows | None = None) -> ModelLifecycle:
    """A model with a live version whose next run crashed; the operator has given up, and the cooldown is over."""
    model = live(spec(data=CAPTURED), giveUpAfter=1)
    model.annotate(retrain="please")
    if reports:
        model.reports("late-v1", reports)
    crashes(model)
    model.wait(days=2)
    assert (model.run_number, model.condition("RetrainingPaused").reason) == (2, "GaveUp")
    return model


def test_what_was_known_when_the_operator_gave_up_starts_nothing() -> None:
    model = given_up(LiveRows(rows=2000, shifted=True, due=1000))
    model.wait(days=90)
    assert model.run_number == 2


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(LiveRows(rows=2000, labels=1500, loss=0.5), "NewRows", id="new labelled rows"),
        pytest.param(LiveRows(rows=2000, shifted=True, labels=20, due=1000), "Drift", id="drift"),
    ],
)
def test_new_evidence_starts_a_run_after_giving_up(rows: LiveRows, expected: str) -> None:
    model = given_up()
    model.reports("late-v1", LiveRows(rows=50, labels=20, loss=0.5))
    assert model.run_number == 2, "that is little"
    model.reports("late-v1", rows, sequence=2)
    assert (model.run_number, reason(model)) == (3, expected)
    crashes(model)
    model.wait(days=30)
    assert (model.run_number, model.condition("RetrainingPaused").reason) == (3, "GaveUp"), "the same evidence is answered"


def test_another_spec_and_a_person_start_a_run_after_giving_up() -> None:
    model = given_up()
    model.edit(training={"task": "Classification", "trials": 3})
    assert (model.run_number, reason(model)) == (3, "SpecChanged")
    crashes(model)
    model.annotate(retrain="again")
    assert (model.run_number, reason(model)) == (4, "Manual")
    assert model.condition("RetrainingPaused").reason != "GaveUp"


def test_a_run_that_ends_well_forgets_the_crashes_before_it() -> None:
    model = live(giveUpAfter=2)
    model.reports("late-v1", HARMED)
    for number in range(2, 8, 2):
        crashes(model)
        wait_for_run(model, number + 1)
        ends(model, worse=True)
        wait_for_run(model, number + 2)
    assert model.condition("RetrainingPaused").reason != "GaveUp"


def forgets_old_versions(model: ModelLifecycle) -> None:
    """Delete what a person would have deleted long ago, so that a year takes no longer than its nights."""
    for version in sorted(model.api.names(MODEL_VERSION), key=lambda name: int(name.removeprefix("late-v")))[:-4]:
        if version != model.live:
            model.api.remove(MODEL_VERSION, version)
    model.api.collect_garbage()


@pytest.mark.parametrize("nights", [30, pytest.param(365, marks=pytest.mark.slow)])
def test_equal_challengers_night_by_night_are_never_given_up(nights: int) -> None:
    """Chance calls one in forty of them worse: that the champion stays is no failure, however often it happens."""
    model = live(triggers=["Schedule"], schedule="0 3 * * *", giveUpAfter=1, budget={"runsPerWeek": 21})
    chance = random.Random(7)
    kept = promoted = 0
    for _ in range(nights):
        model.wait(days=1)
        if model.run_state == "Running":
            forgets_old_versions(model)
            worse = chance.random() < 0.025
            kept, promoted = kept + worse, promoted + (not worse)
            ends(model, worse=worse)
        assert model.condition("RetrainingPaused").reason not in ("GaveUp", "BudgetSpent")
    assert promoted + kept >= 0.9 * nights
    assert model.status.retraining.failed_in_a_row == 0


@pytest.mark.parametrize("nights", [30, pytest.param(365, marks=pytest.mark.slow)])
def test_worse_challengers_night_by_night_become_rare_and_are_never_given_up(nights: int) -> None:
    model = live(triggers=["Schedule"], schedule="0 3 * * *", giveUpAfter=1)
    for _ in range(nights):
        model.wait(days=1)
        if model.run_state == "Running":
            forgets_old_versions(model)
            ends(model, worse=True)
        assert model.condition("RetrainingPaused").reason != "GaveUp"
    assert model.live == "late-v1"
    assert nights / 3 < model.run_number < nights + 2, "32 times a cooldown of an hour is shorter than two nights"
