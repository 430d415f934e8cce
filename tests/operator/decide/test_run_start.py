"""What starts a run beside a changed spec: a person, drift, loss, the clock; and what holds it back."""

import time

import pytest
from mlmodel_contract.run import RunDocument, Stage

from tests.operator.support.manifests import packaged, prepared, spec
from tests.operator.support.players import Live, job_of
from tests.operator.support.story import Story

DRIFTED = Live(rows=2000, shifted=True)
HARMED = Live(rows=2000, labels=1500, loss=2.0)
CALM = Live(rows=2000, labels=1500, loss=0.5)
SCHEDULED = spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": "0 3 * * *"})


BROKEN = Live(rows=4000, labels=3000, loss=2.0, missing=2000)
MENDED = Live(rows=6000, labels=3000, loss=2.0, missing=2000)


def reason(story: Story) -> str | None:
    return story.status.run.reason if story.status.run else None


def test_a_person_starts_one_run_for_each_new_text() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="please")
    assert (story.run_number, reason(story)) == (2, "Manual")
    story.ends(Stage.PREPARE, prepared("WrongType"))
    story.wait(days=2)
    assert story.run_number == 2
    story.annotate(retrain="again")
    assert story.run_number == 3


def test_a_person_knows_no_cooldown_and_no_giving_up() -> None:
    story = Story(spec(retraining={"cooldown": "1h", "giveUpAfter": 1}))
    story.settle()
    story.run_through(packaged(roc_auc=0.5))
    assert story.condition("RetrainingPaused").reason == "GaveUp"
    story.annotate(retrain="please")
    assert story.run_number == 2
    assert story.status.retraining.rejected_in_a_row == 0


def test_an_annotation_that_is_there_from_the_start_is_folded_into_the_first_run() -> None:
    story = Story(annotations={"mlmodel.dev/retrain": "first"})
    story.settle()
    story.run_through()
    story.ready("late-v1")
    story.wait(days=2)
    assert story.run_number == 1


def test_wishes_during_a_run_are_folded_into_it() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="one")
    story.annotate(retrain="two")
    story.ends(Stage.PREPARE, prepared("WrongType"))
    story.wait(days=2)
    assert story.run_number == 2


def test_after_giving_up_only_a_person_starts_a_run() -> None:
    story = Story(spec(retraining={"cooldown": "1h", "giveUpAfter": 2}))
    story.settle()
    story.run_through(packaged(roc_auc=0.5))
    story.wait(hours=1)
    assert story.run_number == 2
    story.run_through(packaged(2, roc_auc=0.5))
    story.wait(days=7)

    assert story.run_number == 2
    paused = story.condition("RetrainingPaused")
    assert (paused.status, paused.reason) == ("True", "GaveUp")
    assert "mlmodel.dev/retrain" in paused.message


@pytest.mark.parametrize(
    ("seen", "triggers", "expected"),
    [
        (DRIFTED, ["Drift"], None),  # few rows are due: labels may still come
        (Live(rows=2000, shifted=True, due=1000), ["Drift"], "Drift"),  # labels are due and did not come
        (Live(rows=2000, shifted=True, due=1000), ["Performance"], None),
        (Live(rows=2000, shifted=True, labels=60, due=1000), ["Drift"], None),  # they come back, and tell before long
        (Live(rows=2000, shifted=True, labels=1500, loss=2.0), ["Drift"], "Drift"),
        (Live(rows=2000, shifted=True, labels=1500, loss=0.5), ["Drift", "Performance"], None),  # drifted, and it does no harm
        (HARMED, ["Performance"], "Performance"),
        (HARMED, ["Drift"], None),
        (HARMED, [], None),
        (CALM, ["Drift", "Performance"], None),
    ],
)
def test_monitoring_starts_a_run_by_the_declared_triggers(seen: Live, triggers: list[str], expected: str | None) -> None:
    story = Story(spec(retraining={"cooldown": "1h", "triggers": triggers}))
    story.go_live()
    story.wait(hours=2)
    story.reports("late-v1", seen)

    assert story.run_number == (1 if expected is None else 2)
    if expected is not None:
        assert reason(story) == expected
        assert story.status.run is not None
        assert story.status.run.champion == "late-v1"


def test_drift_without_harm_is_told() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(rows=2000, shifted=True, labels=1500, loss=0.5))
    assert story.status.drift is not None
    assert (story.status.drift.state, story.status.drift.harm) == ("Confirmed", "None")
    assert story.status.drift.features[0].name == "distance"
    assert story.condition("DriftDetected").reason == "DriftConfirmed"


def test_monitoring_waits_for_the_cooldown() -> None:
    story = Story()
    story.go_live()
    decision = story.reports("late-v1", HARMED)
    assert story.run_number == 1
    assert decision.look_again == pytest.approx(3600, abs=5)
    story.wait(hours=1)
    assert (story.run_number, reason(story)) == (2, "Performance")


def test_a_rejected_challenger_is_followed_by_another_only_after_the_cooldown() -> None:
    story = Story()
    story.go_live()
    story.wait(hours=1)
    story.reports("late-v1", HARMED)
    story.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    assert (story.run_number, story.run_state) == (2, "Rejected")
    story.wait(minutes=59)
    assert story.run_number == 2
    story.wait(minutes=1)
    assert story.run_number == 3


def test_the_schedule_starts_a_run_once_for_each_time() -> None:
    story = Story(SCHEDULED)
    story.go_live()
    decision = story.wait(hours=2)
    assert decision.look_again == 13 * 3600  # from 14:00 to 03:00
    story.wait(hours=13)
    assert (story.run_number, reason(story)) == (2, "Schedule")
    story.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    story.wait(hours=20)
    assert story.run_number == 2
    story.wait(hours=4)
    assert story.run_number == 3


def test_times_that_were_missed_are_one_run() -> None:
    story = Story(SCHEDULED)
    story.go_live()
    story.wait(days=5)
    assert story.run_number == 2
    story.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    story.wait(hours=2)
    assert story.run_number == 2


def test_a_schedule_that_comes_during_a_run_is_folded_into_it() -> None:
    story = Story(SCHEDULED)
    story.go_live()
    story.now = story.now.replace(hour=2, minute=59, day=2)
    story.annotate(retrain="now")
    story.wait(minutes=5)
    story.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    story.wait(hours=3)
    assert story.run_number == 2


def test_annotations_may_be_longer_than_what_is_remembered_of_them() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="please " * 100, rollback_to="late-v7 " * 100)
    assert (story.run_number, reason(story)) == (2, "Manual")
    assert story.decisions.count("RollbackRefused") == 1


def test_an_empty_annotation_asks_for_nothing() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="", rollback_to="")
    assert story.run_number == 1
    story.annotate(retrain="now")
    story.run_through(packaged(2, against="late-v1", difference=(0.1, 0.05, 0.15)))
    story.annotate(retrain="")
    assert (story.run_number, story.run_state) == (2, "Rejected")


@pytest.mark.parametrize("schedule", ["nonsense", "0 0 31 2 *"])
def test_a_schedule_that_cannot_be_is_told(schedule: str) -> None:
    story = Story(spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": schedule}))
    story.go_live()
    story.wait(days=400)
    assert story.run_number == 1
    assert story.condition("RetrainingPaused").reason == "ScheduleUnreadable"
    assert f"'{schedule}'" in story.condition("RetrainingPaused").message


def test_a_schedule_of_every_minute_costs_nothing_after_a_year() -> None:
    story = Story(spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": "* * * * *"}))
    story.go_live()
    story.now = story.now.replace(year=story.now.year + 3)
    started = time.process_time()
    story.settle()
    assert story.run_number == 2
    assert time.process_time() - started < 1


def test_while_a_feed_is_broken_only_a_person_starts_a_run_and_its_rows_are_quarantined() -> None:
    story = Story()
    story.go_live()
    story.wait(days=1)
    story.reports("late-v1", CALM)
    assert story.condition("FeedHealthy").status == "True"

    story.reports("late-v1", BROKEN, sequence=2)
    broken, paused = story.condition("FeedHealthy"), story.condition("RetrainingPaused")
    assert (broken.status, broken.reason, paused.reason) == ("False", "FeedBroken", "FeedBroken")
    assert "distance is missing in 100% of the latest rows" in broken.message
    assert story.decisions[-1] == "FeedBroken"
    story.wait(days=3)
    assert story.run_number == 1
    (quarantine,) = story.status.quarantine
    assert quarantine.end is None

    story.restart()
    story.reports("late-v1", MENDED, sequence=3)
    assert story.condition("FeedHealthy").status == "True"
    assert story.decisions[-2:] == ["FeedBroken", "FeedMended"]
    (closed,) = story.status.quarantine
    assert closed.start == quarantine.start < str(closed.end)
    assert story.run_number == 1

    story.annotate(retrain="please")
    job = job_of(story.world, 2, Stage.PREPARE)
    document = RunDocument.model_validate_json(job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])
    assert document.quarantine == [closed]
