from dataclasses import replace
from datetime import date, timedelta

from mlmodel_contract.status import MLModelStatus

from demo.story import Observation
from tests.demo.support.stories import BEGAN, FIRST, day, decision, story


def test_weeks_follow_the_replays_first_day_and_weigh_flights_not_days() -> None:
    known = story((day(0, v1=(100, 50.0)), day(1, v1=(300, 90.0)), day(7, v2=(10, 1.0))))
    first, second = known.weeks
    assert (first.start, first.rows, first.live, first.first) == (FIRST, 400, 0.35, 1.0)
    assert (second.start, second.versions) == (FIRST + timedelta(days=7), ("flight-delay-v2",))


def test_week_without_any_answer_is_left_out() -> None:
    assert story((day(0, failed=10, v1=(0, 0.0)),)).weeks == []


def test_decision_has_the_day_that_was_replayed_at_its_time() -> None:
    known = story((day(0), day(1), day(2)))
    known = known.updated(Observation(MLModelStatus(decisions=[decision("RunStarted", -5), decision("Promoted", 3.9)]), {}), known.days)
    assert [decision.day for decision in known.decisions] == [None, FIRST + timedelta(days=1)]


def test_time_after_the_last_line_counts_on_from_it_and_ends_with_the_replay() -> None:
    known = story((day(0),))
    assert known.day_at(BEGAN + timedelta(seconds=7)) == FIRST + timedelta(days=3)
    assert known.day_at(BEGAN + timedelta(hours=1)) == date(2013, 4, 30)


def test_decision_that_the_status_has_dropped_stays_once() -> None:
    one, two = decision("RunStarted", 0), decision("Promoted", 1)
    known = story((day(0),))
    for decisions in ([one], [one, two], [two]):
        known = known.updated(Observation(MLModelStatus(decisions=decisions), {}), known.days)
    assert [entry.decision for entry in known.log] == ["RunStarted", "Promoted"]


def test_totals_count_predictions_and_feedback_alike() -> None:
    known = story((day(0, failed=2), replace(day(1), feedback_failed=1)))
    assert (known.totals.requests, known.totals.failed, known.totals.rows) == (30, 3, 200)


def test_version_has_its_own_flights_and_days() -> None:
    known = story((day(0, v1=(100, 50.0)), day(1, v1=(20, 2.0), v2=(80, 4.0)), day(2, v2=(20, 6.0))))
    assert known.served_by("flight-delay-v2") == (100, 0.1, FIRST + timedelta(days=1), FIRST + timedelta(days=2))
    assert known.served_by("flight-delay-v3") == (0, 0.0, None, None)


def test_fits_of_each_run_are_those_that_were_last_known() -> None:
    def run(number: int, fits: int) -> Observation:
        state = {"number": number, "reason": "Drift", "stage": "Train", "state": "Running", "started": "2026-01-01T12:00:00Z", "fits": fits}
        return Observation(MLModelStatus.model_validate({"run": state}), {})

    known = story((day(0),))
    for observation in (run(1, 2), run(1, 9), run(2, 3)):
        known = known.updated(observation, known.days)
    assert {number: found.fits for number, found in known.runs.items()} == {1: 9, 2: 3}
