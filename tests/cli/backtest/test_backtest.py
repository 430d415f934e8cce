"""A backtest as a function: the operator's real decisions and the trainer's real stages over small streams."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.result import BacktestResult, ScheduleResult, document
from mlmodel_cli.backtest.server_pod import ServerPod
from mlmodel_cli.backtest.settings import BacktestError, BacktestSettings
from mlmodel_cli.backtest.summary import sentence
from mlmodel_contract.manifest import MLModelSpec
from model_server.link.labels import LabelledPrediction

from tests.cli.backtest.support.streams import HISTORY, ROWS, SETTINGS, data, frame, manifest, spec, table, time_of

CHANGE = 1_000


@pytest.fixture(scope="module")
def changed() -> BacktestResult:
    """The world turns round at row ``CHANGE``; labels come at once."""
    return run_backtest(spec(), table(CHANGE), replace(SETTINGS, schedules="all"))


def times(result: BacktestResult, decision: str) -> list[str]:
    return [entry.time for entry in result.log if entry.decision == decision]


def recovered(result: BacktestResult) -> float:
    """Mean loss of the last quarter of the live rows."""
    return float(np.mean(result.judgement.losses[-(ROWS - HISTORY) // 4 :]))


@pytest.mark.slow
def test_where_nothing_changes_what_is_served_is_as_good_as_the_first_fit() -> None:
    result = run_backtest(spec(), table(), replace(SETTINGS, schedules="leader"))
    never = result.best_schedule(0)
    assert never is not None
    assert result.mean_loss < 1.03 * never.mean_loss
    assert result.went_live[0].version == "model-v1"
    assert not times(result, "DriftDetected")
    assert len(result.judgement.losses) == ROWS - HISTORY
    assert np.isfinite(result.judgement.losses).all()


@pytest.mark.slow
def test_after_a_change_a_run_starts_and_a_new_version_goes_live(changed: BacktestResult) -> None:
    assert times(changed, "RunStarted")[0] == time_of(HISTORY)
    later = [entry for entry in changed.log if entry.time > time_of(CHANGE)]
    started = next(entry for entry in later if entry.decision == "RunStarted")
    assert started.time < time_of(CHANGE + 400)
    assert "labels" in started.message, "the log says why"
    promoted = next(entry for entry in later if entry.decision == "Promoted")
    assert changed.went_live[-1].version != "model-v1"
    assert promoted.version in {live.version for live in changed.went_live}
    assert recovered(changed) < 0.8
    assert [entry.time for entry in changed.log] == sorted(entry.time for entry in changed.log)


@pytest.mark.slow
def test_every_fit_and_the_time_of_its_processor_are_counted(changed: BacktestResult) -> None:
    runs = len(times(changed, "RunStarted"))
    assert changed.fits >= runs
    assert changed.cpu_seconds > 0


@pytest.mark.slow
def test_schedules_are_fitted_once_a_period_and_follow_the_world(changed: BacktestResult) -> None:
    periods = len(changed.period_starts)
    fits = {schedule.every: schedule.fits for schedule in changed.schedules}
    assert fits == {0: 1, 1: periods, 2: (periods + 1) // 2, 4: -(-periods // 4), 8: -(-periods // 8)}
    always, never = changed.best_schedule(1), changed.best_schedule(0)
    assert always is not None
    assert never is not None
    assert always.mean_loss < never.mean_loss
    assert np.nanmean(changed.by_period(always.judgement.losses)[-2:]) < 0.7


@pytest.mark.slow
def test_a_schedule_serves_each_fit_until_its_next_one(changed: BacktestResult) -> None:
    def losses(every: int) -> Any:
        (one,) = (s for s in changed.schedules if (s.every, s.window) == (every, "newest rows"))
        return one.judgement.losses

    first, second = (changed.period_of == period for period in (0, 1))
    assert (losses(1)[first] == losses(0)[first]).all()
    assert (losses(2)[second] == losses(0)[second]).all()
    assert (losses(1)[second] != losses(0)[second]).any()


@pytest.mark.slow
def test_schedules_learn_from_no_label_before_it_comes() -> None:
    never_labelled = replace(SETTINGS, labels_after=timedelta(days=60), tick=timedelta(days=30), schedules="all")
    result = run_backtest(spec(), table(CHANGE), never_labelled)
    losses = {schedule.every: schedule.judgement.losses for schedule in result.schedules if schedule.window == "all rows"}
    assert (losses[1] == losses[0]).all()


@pytest.mark.slow
def test_fits_in_other_processes_are_the_same(changed: BacktestResult) -> None:
    beside = run_backtest(spec(), table(CHANGE), replace(SETTINGS, schedules="all", jobs=2))

    def by_row(schedule: ScheduleResult) -> Any:
        return schedule.judgement.losses.tolist()

    assert list(map(by_row, beside.schedules)) == list(map(by_row, changed.schedules))


@pytest.mark.slow
def test_a_backtest_comes_out_the_same_each_time(changed: BacktestResult) -> None:
    again = run_backtest(spec(), table(CHANGE).take(pa.array(np.random.default_rng(0).permutation(ROWS))), SETTINGS)
    assert again.log == changed.log
    assert again.went_live == changed.went_live
    assert (again.judgement.losses == changed.judgement.losses).all()
    assert again.fits == changed.fits


@pytest.mark.slow
def test_rows_are_named_by_their_place_in_the_data(changed: BacktestResult) -> None:
    assert changed.index.tolist() == list(range(HISTORY, ROWS))
    order = np.random.default_rng(0).permutation(ROWS)
    again = run_backtest(spec(), table().take(pa.array(order)), replace(SETTINGS, tick=timedelta(days=30)))
    assert order[again.index].tolist() == list(range(HISTORY, ROWS))


@pytest.mark.slow
def test_nothing_is_learnt_from_labels_that_have_not_come() -> None:
    late = run_backtest(spec(), table(CHANGE), replace(SETTINGS, labels_after=timedelta(days=1), schedules="leader"))

    first_day = late.judgement.losses[CHANGE - HISTORY : CHANGE - HISTORY + 24 * 6]
    assert float(np.mean(first_day)) > 1.5 * recovered(late), "nobody knows of the change before its first label"
    assert recovered(late) < 0.8


@pytest.mark.slow
def test_every_label_is_handed_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and their labels, known at once, fall on the ends of ticks too."""
    handed: list[str] = []
    label = ServerPod.label

    def counted(pod: ServerPod, labels: Sequence[LabelledPrediction]) -> None:
        handed.extend(one["id"] for one in labels)
        label(pod, labels)

    monkeypatch.setattr(ServerPod, "label", counted)
    run_backtest(spec(retraining={"triggers": []}), table(), SETTINGS)
    assert len(handed) == len(set(handed)) == ROWS - HISTORY


@pytest.mark.slow
def test_labels_later_than_the_server_takes_them_are_refused_and_told() -> None:
    frame_ = frame(CHANGE)
    frame_["known"] = frame_["at"] + pd.to_timedelta(np.where(frame_["y"], 1, 9), unit="D")
    result = run_backtest(spec(), pa.Table.from_pandas(frame_), replace(SETTINGS, labels_after="known"))
    assert any("monitoring.labels.maxDelay" in note for note in result.notes)
    assert np.isfinite(result.judgement.losses).all()  # the rows are judged all the same


@pytest.mark.slow
def test_a_run_takes_its_time() -> None:
    taken = run_backtest(spec(), table(), replace(SETTINGS, run_takes=timedelta(days=1)))
    assert times(taken, "Promoted")[0] == time_of(HISTORY + 24 * 6)
    assert np.isnan(taken.judgement.losses[: 24 * 6]).all()
    assert any("served by nobody" in note for note in taken.notes)


@pytest.mark.slow
def test_data_that_fails_its_checks_is_refused_as_in_a_cluster() -> None:
    alike = frame()
    alike.loc[: HISTORY + 10, "y"] = True
    result = run_backtest(spec(), pa.Table.from_pandas(alike), SETTINGS)
    assert "SingleClass" in next(entry.message for entry in result.log if entry.decision == "DataInvalid")
    assert result.went_live == ()
    assert "no version ever went live" in result.notes
    assert document(result)["meanLoss"] is None


@pytest.mark.slow
def test_a_trainer_that_crashes_fails_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise MemoryError("no room for the trees")

    monkeypatch.setattr("model_server.train.stages.package.package", crash)
    result = run_backtest(spec(), table(), replace(SETTINGS, tick=timedelta(days=5)))
    died, failed = (next(entry.message for entry in result.log if entry.decision == name) for name in ("SinglePodDied", "RunFailed"))
    assert "the pod that did all stages died in Package: Error: " in died
    assert "no room for the trees" in died
    assert failed.startswith("run 1: Package: ")
    assert "no room for the trees" in failed


@pytest.mark.slow
def test_numbers_are_predicted_too() -> None:
    regression = {"task": "Regression", "trials": 1, "candidates": [{"name": "ridge", "estimator": "sklearn.linear_model.Ridge"}]}
    columns = [column for column in data()["columns"] if column["name"] != "y"] + [{"name": "price", "type": "number"}]
    objective = {"criteria": [{"metric": "rmse", "max": 9}]}
    spec_ = spec(objective=objective, data=data(target="price", columns=columns), training=regression)
    result = run_backtest(spec_, table(CHANGE), replace(SETTINGS, schedules="leader"))
    assert result.loss_name == "squared error"
    assert result.bound == 81
    assert np.mean(result.judgement.losses[: CHANGE - HISTORY]) == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_rows_without_a_time_are_a_minute_apart() -> None:
    columns = [column for column in data()["columns"] if column["type"] != "time"]
    untimed = spec(data=data(time=None, window=None, columns=columns))
    rows = table(CHANGE).drop_columns("at")
    result = run_backtest(untimed, rows, BacktestSettings(start=0.25, period_rows=200, tick=timedelta(hours=2), schedules="none"))
    assert len(result.period_starts) == 9
    assert np.isfinite(result.judgement.losses).all()
    with pytest.raises(BacktestError, match=r"data\.time is missing.*--period-rows"):
        run_backtest(untimed, rows, SETTINGS)


def objective(**value: Any) -> dict[str, Any]:
    """An objective by which predictions have a value."""
    return {"criteria": [{"metric": "log_loss", "max": 2.0}], "value": {"currency": "EUR", **value}}


@pytest.mark.slow
def test_predictions_are_worth_what_the_objective_says_less_what_fits_cost() -> None:
    outcomes = {"truePositive": 3, "falsePositive": -2, "falseNegative": -1}
    free = run_backtest(spec(objective=objective(outcomes=outcomes)), table(CHANGE), replace(SETTINGS, schedules="leader"))
    amounts, never, monthly = free.judgement.amounts, free.worthiest_schedule(0), free.worthiest_schedule(4)
    assert amounts is not None
    assert never is not None
    assert monthly is not None
    assert set(amounts) <= {3.0, -2.0, -1.0, 0.0}
    assert free.worth(free) == pytest.approx(amounts.sum())
    by_period, saved = free.worth_by_period(free), free.saved_money(never)
    assert by_period is not None
    assert saved is not None
    assert by_period.sum() == pytest.approx(amounts.sum())
    assert saved[-1] == pytest.approx((free.worth(free) or 0.0) - (free.worth(never) or 0.0))
    dear = replace(free, price=3600.0)  # one EUR a second
    assert dear.worth(dear) == pytest.approx(amounts.sum() - free.cpu_seconds)
    assert dear.worth(monthly) == pytest.approx((free.worth(monthly) or 0.0) - monthly.cpu_seconds)
    found = document(dear)
    assert (found["currency"], found["worth"], found["costOfFits"]) == (
        "EUR",
        pytest.approx(amounts.sum() - free.cpu_seconds),
        pytest.approx(free.cpu_seconds),
    )
    assert sum(period["worth"] for period in found["periods"]) == pytest.approx(amounts.sum())
    assert {schedule["every"] for schedule in found["schedules"] if schedule["worth"] is not None} == {0, 1, 2, 4, 8}


@pytest.mark.slow
def test_a_right_prediction_is_worth_what_its_row_has_in_the_column() -> None:
    columns = [*data()["columns"], {"name": "price", "type": "number"}]
    changes = {"objective": objective(column="price"), "data": data(columns=columns)}
    result = run_backtest(spec(**changes), table(), replace(SETTINGS, tick=timedelta(days=30)))
    prices, amounts = frame()["price"].to_numpy()[HISTORY:], result.judgement.amounts
    assert amounts is not None
    assert all(amount in (0.0, pytest.approx(price)) for amount, price in zip(amounts, prices, strict=True))
    assert 0 < (amounts != 0).mean() < 1


@pytest.mark.slow
def test_a_number_costs_by_its_error() -> None:
    regression = {"task": "Regression", "trials": 1, "candidates": [{"name": "ridge", "estimator": "sklearn.linear_model.Ridge"}]}
    columns = [column for column in data()["columns"] if column["name"] != "y"] + [{"name": "price", "type": "number"}]
    changes = {
        "objective": {"criteria": [{"metric": "rmse", "max": 9}], "value": {"perUnitError": 2}},
        "data": data(target="price", columns=columns),
        "training": regression,
    }
    result = run_backtest(spec(**changes), table(), replace(SETTINGS, tick=timedelta(days=30)))
    assert result.judgement.amounts == pytest.approx(-2 * np.sqrt(result.judgement.losses))


@pytest.mark.slow
def test_without_a_value_nobody_speaks_of_money() -> None:
    result = run_backtest(spec(), table(), replace(SETTINGS, tick=timedelta(days=30)))
    assert result.worth(result) is None
    assert document(result)["worth"] is None
    assert "worth" not in sentence(result)


@pytest.mark.slow
def test_outcomes_of_more_than_two_classes_have_no_worth_and_a_note_says_so() -> None:
    three = frame()
    three["y"] = np.where(three["b"] == "u", "maybe", three["y"].astype(str))
    columns = [column if column["name"] != "y" else {"name": "y", "type": "category"} for column in data()["columns"]]
    changes = {"objective": objective(outcomes={"truePositive": 1}), "data": data(columns=columns)}
    result = run_backtest(spec(**changes), pa.Table.from_pandas(three), replace(SETTINGS, tick=timedelta(days=30)))
    assert result.worth(result) is None
    assert any("objective.value.column" in note for note in result.notes)


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        (
            {"training": None, "data": None, "model": {"uri": "s3://a/b", "digest": "sha256:" + "0" * 64}},
            SETTINGS,
            "spec.training is missing",
        ),
        ({}, replace(SETTINGS, period_rows=10), "--period-rows is for manifests without data.time"),
        ({"data": data(columns=[*data()["columns"], {"name": "c", "type": "number"}])}, SETTINGS, "no column 'c'"),
        (
            {"data": data(columns=[*data()["columns"][:2], {"name": "b", "type": "number"}, {"name": "y", "type": "boolean"}])},
            SETTINGS,
            "no number",
        ),
        ({"objective": objective(perUnitError=2)}, SETTINGS, "objective.value: perUnitError is for Regression"),
        ({"objective": objective(column="b")}, SETTINGS, "objective.value.column 'b' is no feature of type number"),
        ({"objective": objective()}, SETTINGS, "objective.value needs exactly one of"),
        ({}, replace(SETTINGS, start="2031-01-01"), "--start leaves 2400 of 2400 rows"),
        ({}, replace(SETTINGS, start="soon"), "--start 'soon' is no time"),
        ({}, replace(SETTINGS, labels_after="landed"), "no column 'landed'"),
    ],
    ids=[
        "imported",
        "rows and a time",
        "column",
        "type",
        "value of another task",
        "value of no number",
        "empty value",
        "late start",
        "no start",
        "column of labels",
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(changes: dict[str, Any], settings: BacktestSettings, message: str) -> None:
    with pytest.raises(BacktestError, match=message):
        run_backtest(MLModelSpec.model_validate(manifest(**changes)["spec"]), table(), settings)
