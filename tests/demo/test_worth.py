"""What was served, judged beside never retraining and monthly schedules that are really fitted."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from mlmodel_contract.manifest import MLModelSpec
from mlmodel_contract.status import MLModelStatus, Phase

from demo import manifests
from demo.errors import DemoError
from demo.scenario import Scenario
from demo.story import Observation, Story
from demo.worth import Flights, compare
from devtools.flights import FEATURES, TARGET, TIME
from tests.demo.support.stories import ACCEPTED, day, decision, version

SCENARIO = Scenario(date(2013, 1, 1), date(2013, 1, 31), date(2013, 2, 1), date(2013, 4, 4), seconds_per_day=2.0)


def spec() -> MLModelSpec:
    """The demonstration's own spec, with its linear candidate alone."""
    whole = manifests.spec()
    assert whole.training is not None
    return whole.replace(training=whole.training.replace(candidates=whole.training.candidates[:1]))


def rows() -> pd.DataFrame:
    """Flights whose delay follows from the wind, and from the opposite once they are replayed."""
    random = np.random.default_rng(3)
    times = pd.date_range("2013-01-01T12:00", "2013-04-30", freq="2h", tz="UTC")
    wind = random.normal(10, 3, len(times))
    sign = np.where(times < pd.Timestamp("2013-02-01", tz="UTC"), 1.0, -1.0)
    found = pd.DataFrame({name: random.normal(size=len(times)) for name in FEATURES} | {"wind_speed": wind, TIME: times})
    for name in ("carrier", "origin", "dest"):
        found[name] = random.choice(["a", "b"], len(times))
    found[TARGET] = sign * (wind - 10) + random.logistic(size=len(times)) > 0
    return found.assign(day=times.date, arrived=times + timedelta(hours=3), pressure=1000.0, hour=times.hour, distance=500.0)


def predictions(flights: Flights, probability: float) -> pd.DataFrame:
    """The same answer to every replayed flight, in an order of the application's own."""
    order = np.random.default_rng(0).permutation(len(flights.days))
    return pd.DataFrame({"row": order, "version": "flight-delay-v1", "probability": probability})


@pytest.fixture(scope="module")
def flights() -> Flights:
    return Flights.of(rows(), SCENARIO, spec())


def test_only_the_days_of_the_scenario_are_flown_and_learnt_from(flights: Flights) -> None:
    assert (flights.days.min(), flights.days.max()) == (SCENARIO.first, SCENARIO.last)
    assert len(flights.days) == 12 * SCENARIO.days
    assert len(flights.stream) - len(flights.days) == 12 * 31 - 6
    assert len(flights.stream.period_starts()) == SCENARIO.days // 7


def test_each_answer_is_judged_by_the_truth_of_its_own_flight(flights: Flights) -> None:
    replayed = rows().query("day >= @SCENARIO.first and day <= @SCENARIO.last").reset_index(drop=True)
    answered = predictions(flights, 0.5)
    answered["probability"] = np.where(replayed[TARGET].to_numpy()[answered["row"]], 0.8, 0.2)
    judged = flights.judged(answered)
    assert judged.losses == pytest.approx(np.full(len(replayed), -np.log(0.8)))
    assert judged.amounts is not None
    assert judged.amounts.sum() == pytest.approx(-350.0 * replayed[TARGET].sum() - 60.0 * (~replayed[TARGET]).sum())  # 0.2 still warns


def test_flight_that_was_not_answered_is_worth_nothing_and_counts_for_nobody(flights: Flights) -> None:
    judged = flights.judged(predictions(flights, 0.5).query("row != 5"))
    assert judged.amounts is not None
    assert np.flatnonzero(np.isnan(judged.losses)).tolist() == np.flatnonzero(np.isnan(judged.amounts)).tolist() == [5]


def test_loss_of_a_day_is_the_sum_over_its_flights(flights: Flights) -> None:
    by_day = flights.by_day(flights.judged(predictions(flights, 0.5)))
    assert set(by_day) == {SCENARIO.first + timedelta(days=number) for number in range(SCENARIO.days)}
    assert {(round(day.loss, 6), day.rows) for day in by_day.values()} == {(round(12 * np.log(2), 6), 12)}


def test_schedules_are_fitted_every_fourth_week_and_never_and_compared_on_the_same_flights(flights: Flights) -> None:
    shares: list[float] = []
    schedules = flights.schedules(1, timedelta(0), shares.append)
    assert {(schedule.every, schedule.fits) for schedule in schedules} == {(0, 1), (4, 3)}
    assert shares[-1] == 1.0
    status = MLModelStatus(decisions=[decision("Promoted", -5), decision("RunStarted", 0)])
    first_version = version("Initial", ACCEPTED, Phase.LIVE)
    chosen = replace(first_version, spec=first_version.spec.replace(candidate="linear"))
    story = Story(SCENARIO).updated(Observation(status, {"flight-delay-v1": chosen}), ())
    first, served = (flights.judged(predictions(flights, probability)) for probability in (0.9, 0.5))
    found = compare(flights, story, served, first, schedules)
    assert found.monthly in schedules
    assert found.monthly_is_asked
    never = min(schedule.mean_loss for schedule in schedules if schedule.every == 0)
    assert found.monthly is not None
    assert found.monthly.mean_loss < never, "the world has turned round, and they learn it"
    assert found.saved_loss(found.first) == pytest.approx(first.losses.sum() - served.losses.sum())
    assert first.amounts is not None
    assert served.amounts is not None
    assert found.saved_money(found.first) == pytest.approx(served.amounts.sum() - first.amounts.sum())
    assert [entry.time for entry in found.result.log] == ["2013-02-01T12:00:00Z"] * 2, "before the replay is its first day"
    assert found.result.bound == 0.6


def test_a_fit_that_takes_its_time_serves_later_and_so_less_well(flights: Flights) -> None:
    at_once, late = (
        {schedule.window: schedule.mean_loss for schedule in flights.schedules(1, delay, lambda _share: None) if schedule.every == 4}
        for delay in (timedelta(0), timedelta(days=14))
    )
    assert all(late[window] > loss for window, loss in at_once.items())


def test_nothing_is_compared_where_nothing_was_answered(flights: Flights) -> None:
    nothing = flights.judged(predictions(flights, 0.5).iloc[:0])
    with pytest.raises(DemoError, match="no flight was answered"):
        compare(flights, Story(SCENARIO), nothing, nothing, ())


def test_decisions_of_the_replay_have_their_day(flights: Flights) -> None:
    served = flights.judged(predictions(flights, 0.5))
    status = MLModelStatus(decisions=[decision("Promoted", 3.0)])
    story = Story(SCENARIO).updated(Observation(status, {}), (day(0),))
    assert compare(flights, story, served, served, ()).result.log[0].time == "2013-04-02T12:00:00Z"
