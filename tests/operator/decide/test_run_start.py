"""What starts a run beside a changed spec: a person, drift, loss, the clock; and what holds it back."""

import time
from typing import Any

import pytest
from mlmodel_contract.run import RunDocument, Stage

from tests.operator.support import fake_controllers
from tests.operator.support.fake_controllers import LiveRows, job_of, killed
from tests.operator.support.manifests import KEEP_LIVE, packaged, prepared, spec
from tests.operator.support.model_lifecycle import ModelLifecycle

DRIFTED = LiveRows(rows=2000, shifted=True)
HARMED = LiveRows(rows=2000, labels=1500, loss=2.0)
CALM = LiveRows(rows=2000, labels=1500, loss=0.5)
SCHEDULED = spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": "0 3 * * *"})


BROKEN = LiveRows(rows=4000, labels=3000, loss=2.0, missing=2000)
MENDED = LiveRows(rows=6000, labels=3000, loss=2.0, missing=2000)


def reason(model: ModelLifecycle) -> str | None:
    return model.status.run.reason if model.status.run else None


def crashes(model: ModelLifecycle) -> None:
    """Let the present run's first pods crash for good."""
    fake_controllers.fail(model.api, model.run_number, Stage.PREPARE, model.now, killed())
    model.settle()


def test_a_person_starts_one_run_for_each_new_text() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="please")
    assert (model.run_number, reason(model)) == (2, "Manual")
    model.ends(Stage.PREPARE, prepared("WrongType"))
    model.wait(days=2)
    assert model.run_number == 2
    model.annotate(retrain="again")
    assert model.run_number == 3


def test_a_person_knows_no_cooldown_and_no_giving_up() -> None:
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "giveUpAfter": 1}))
    model.settle()
    crashes(model)
    assert model.condition("RetrainingPaused").reason == "GaveUp"
    model.annotate(retrain="please")
    assert model.run_number == 2
    assert model.status.retraining.failed_in_a_row == 0


def test_an_annotation_that_is_there_from_the_start_is_folded_into_the_first_run() -> None:
    model = ModelLifecycle(annotations={"mlmodel.dev/retrain": "first"})
    model.settle()
    model.run_through()
    model.ready("late-v1")
    model.wait(days=2)
    assert model.run_number == 1


def test_wishes_during_a_run_are_folded_into_it() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="one")
    model.annotate(retrain="two")
    model.ends(Stage.PREPARE, prepared("WrongType"))
    model.wait(days=2)
    assert model.run_number == 2


def test_runs_that_crash_are_given_up_and_the_condition_tells_cause_and_remedy() -> None:
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "giveUpAfter": 2}))
    model.settle()
    crashes(model)
    model.wait(hours=1)
    assert model.run_number == 2
    crashes(model)
    model.wait(days=7)

    assert model.run_number == 2
    paused = model.condition("RetrainingPaused")
    assert (paused.status, paused.reason) == ("True", "GaveUp")
    assert "2 runs in a row failed" in paused.message
    assert "boom" in paused.message
    assert "mlmodel.dev/retrain" in paused.message


@pytest.mark.parametrize("objective", [None, KEEP_LIVE])
def test_a_version_that_is_refused_is_no_failure(objective: dict[str, Any] | None) -> None:
    """Neither that the champion is still the best, nor that criteria are missed, is a cause that a person could remove."""
    changes = {"objective": objective} if objective else {}
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "giveUpAfter": 1}, **changes))
    model.go_live()
    for number in range(2, 6):
        model.annotate(retrain=f"request {number}")
        model.run_through(packaged(number, roc_auc=0.5, against="late-v1", difference=(0.1, 0.05, 0.15)))
        assert (model.run_number, model.run_state) == (number, "Rejected" if objective else "ChampionKept")
        assert model.condition("RetrainingPaused").reason != "GaveUp"
    assert model.status.retraining.failed_in_a_row == 0


@pytest.mark.parametrize(
    ("rows", "triggers", "expected"),
    [
        (DRIFTED, ["Drift"], None),  # few rows are due: labels may still come
        (LiveRows(rows=2000, shifted=True, due=1000), ["Drift"], "Drift"),  # labels are due and did not come
        (LiveRows(rows=2000, shifted=True, due=1000), ["Performance"], None),
        (LiveRows(rows=2000, shifted=True, labels=60, due=1000), ["Drift"], None),  # they come back, and tell before long
        (LiveRows(rows=2000, shifted=True, labels=1500, loss=2.0), ["Drift"], "Drift"),
        (LiveRows(rows=2000, shifted=True, labels=1500, loss=0.5), ["Drift", "Performance"], None),  # drifted, and it does no harm
        (HARMED, ["Performance"], "Performance"),
        (HARMED, ["Drift"], None),
        (HARMED, [], None),
        (CALM, ["Drift", "Performance"], None),
    ],
)
def test_monitoring_starts_a_run_by_the_declared_triggers(rows: LiveRows, triggers: list[str], expected: str | None) -> None:
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "triggers": triggers}))
    model.go_live()
    model.wait(hours=2)
    model.reports("late-v1", rows)

    assert model.run_number == (1 if expected is None else 2)
    if expected is not None:
        assert reason(model) == expected
        assert model.status.run is not None
        assert model.status.run.champion == "late-v1"


def test_drift_without_harm_is_reported() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(rows=2000, shifted=True, labels=1500, loss=0.5))
    assert model.status.drift is not None
    assert (model.status.drift.state, model.status.drift.harm) == ("Confirmed", "None")
    assert model.status.drift.features[0].name == "distance"
    assert model.condition("DriftDetected").reason == "DriftConfirmed"


def test_monitoring_waits_for_the_cooldown() -> None:
    model = ModelLifecycle()
    model.go_live()
    decision = model.reports("late-v1", HARMED)
    assert model.run_number == 1
    assert decision.requeue_after == pytest.approx(3600, abs=5)
    model.wait(hours=1)
    assert (model.run_number, reason(model)) == (2, "Performance")


def test_a_challenger_that_was_worse_is_followed_by_another_only_after_twice_the_cooldown() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.wait(hours=1)
    model.reports("late-v1", HARMED)
    model.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    assert (model.run_number, model.run_state) == (2, "ChampionKept")
    model.wait(minutes=119)
    assert model.run_number == 2
    model.wait(minutes=1)
    assert model.run_number == 3


def test_the_schedule_starts_a_run_once_for_each_time() -> None:
    model = ModelLifecycle(SCHEDULED)
    model.go_live()
    decision = model.wait(hours=2)
    assert decision.requeue_after == 13 * 3600  # from 14:00 to 03:00
    model.wait(hours=13)
    assert (model.run_number, reason(model)) == (2, "Schedule")
    model.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    model.wait(hours=20)
    assert model.run_number == 2
    model.wait(hours=4)
    assert model.run_number == 3


def test_times_that_were_missed_are_one_run() -> None:
    model = ModelLifecycle(SCHEDULED)
    model.go_live()
    model.wait(days=5)
    assert model.run_number == 2
    model.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    model.wait(hours=2)
    assert model.run_number == 2


def test_a_schedule_that_comes_during_a_run_is_folded_into_it() -> None:
    model = ModelLifecycle(SCHEDULED)
    model.go_live()
    model.now = model.now.replace(hour=2, minute=59, day=2)
    model.annotate(retrain="now")
    model.wait(minutes=5)
    model.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    model.wait(hours=3)
    assert model.run_number == 2


def test_annotations_may_be_longer_than_what_is_remembered_of_them() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="please " * 100, rollback_to="late-v7 " * 100)
    assert (model.run_number, reason(model)) == (2, "Manual")
    assert model.decisions.count("RollbackRefused") == 1


def test_an_empty_annotation_asks_for_nothing() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="", rollback_to="")
    assert model.run_number == 1
    model.annotate(retrain="now")
    model.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    model.annotate(retrain="")
    assert (model.run_number, model.run_state) == (2, "ChampionKept")


@pytest.mark.parametrize("schedule", ["nonsense", "0 0 31 2 *"])
def test_a_schedule_that_cannot_be_is_reported(schedule: str) -> None:
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": schedule}))
    model.go_live()
    model.wait(days=400)
    assert model.run_number == 1
    assert model.condition("RetrainingPaused").reason == "ScheduleUnreadable"
    assert f"'{schedule}'" in model.condition("RetrainingPaused").message


def test_a_schedule_of_every_minute_costs_nothing_after_a_year() -> None:
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": "* * * * *"}))
    model.go_live()
    model.now = model.now.replace(year=model.now.year + 3)
    started = time.process_time()
    model.settle()
    assert model.run_number == 2
    assert time.process_time() - started < 1


def test_while_a_feed_is_broken_only_a_person_starts_a_run_and_its_rows_are_quarantined() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.wait(days=1)
    model.reports("late-v1", CALM)
    assert model.condition("FeedHealthy").status == "True"

    model.reports("late-v1", BROKEN, sequence=2)
    broken, paused = model.condition("FeedHealthy"), model.condition("RetrainingPaused")
    assert (broken.status, broken.reason, paused.reason) == ("False", "FeedBroken", "FeedBroken")
    assert "distance is missing in 100% of the latest rows" in broken.message
    assert model.decisions[-1] == "FeedBroken"
    model.wait(days=3)
    assert model.run_number == 1
    (quarantine,) = model.status.quarantine
    assert quarantine.end is None

    model.restart()
    model.reports("late-v1", MENDED, sequence=3)
    assert model.condition("FeedHealthy").status == "True"
    assert model.decisions[-2:] == ["FeedBroken", "FeedMended"]
    (closed,) = model.status.quarantine
    assert closed.start == quarantine.start < str(closed.end)
    assert model.run_number == 1

    model.annotate(retrain="please")
    job = job_of(model.api, 2, Stage.PREPARE)
    document = RunDocument.model_validate_json(job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])
    assert document.quarantine == [closed]
