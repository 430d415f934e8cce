"""The loop benchmark: the default policy against schedules in a short form, and the parts that figures are made of."""

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.result import BacktestResult
from mlmodel_cli.backtest.settings import BacktestSettings
from mlmodel_cli.backtest.stream import Stream, stream_of

from benchmarks.loop import backtests, cost_rules, drift_rules, figures
from benchmarks.loop.fits import Floats, Recipe, fits_under_way
from benchmarks.loop.lateness import with_label_times
from benchmarks.loop.stationary import worse_promotions
from benchmarks.loop.streams import TARGET, TIME, simulated, world_changes
from benchmarks.loop.worlds import AFTER, BEFORE, ServedLosses, Serving, fresh
from benchmarks.table import Row

PERIODS = 20
SHORT_ROWS, SHORT_PERIOD = 4_000, timedelta(days=7)


def short_form(name: str) -> tuple[BacktestResult, ServedLosses]:
    stream, served = simulated(name, SHORT_ROWS), ServedLosses((fresh(BEFORE), fresh(AFTER)))
    settings = BacktestSettings(schedules="all", period=SHORT_PERIOD, jobs=1)
    return run_backtest(stream.spec, stream.table, settings, name, on_live=served), served


def ratio(result: BacktestResult, every: int | None = None) -> float:
    best = result.best_schedule(every)
    assert best is not None
    return result.mean_loss / best.mean_loss


@pytest.mark.slow
def test_after_an_abrupt_change_the_policy_serves_as_well_as_the_best_schedule_in_hindsight() -> None:
    result, served = short_form("abrupt")
    assert ratio(result) < 1.1
    assert ratio(result, every=0) < 0.8, "against never refitting"
    last = served.loss_at(float(result.arrived[-1]), world=1)
    assert last < 0.8 * served.loss_at(float(result.arrived[-1]), world=0), "what serves at the end knows the new world"


@pytest.mark.slow
def test_where_nothing_changes_the_policy_loses_hardly_more_than_the_best_schedule_in_hindsight() -> None:
    result, served = short_form("none")
    assert ratio(result) < 1.05
    assert served.serving[-1].losses[0] < 1.02 * served.serving[0].losses[0], "more rows are no worse"


@pytest.mark.slow
def test_fits_say_what_any_rule_would_have_served() -> None:
    stream = simulated("abrupt", 1_500)
    with fits_under_way(stream.table, stream.spec, BacktestSettings(period=timedelta(days=7), jobs=1)) as pending:
        fits = pending.made()
    schedules = list(fits.fits.results(fits.fitted))
    periods = range(1, len(fits.stream.period_starts()))
    for number, window in fits.recipes:
        of = {one.every: one.mean_loss for one in schedules if (one.candidate, one.window) == (fits.candidates[number].name, window)}
        assert fits.served((number, window), []) == pytest.approx(of[0])
        assert fits.served((number, window), list(periods)) == pytest.approx(of[1])
        assert fits.served((number, window), list(periods[1::2])) == pytest.approx(of[2])
    assert fits.best_of_periods < min(one.mean_loss for one in schedules)
    assert fits.first_choice() in fits.recipes


@pytest.fixture(scope="module")
def still() -> Stream:
    """A stream whose inputs do not change."""
    stream = simulated("none", 4_000)
    return stream_of(stream.table, stream.spec, BacktestSettings(period=timedelta(hours=85)))


def recipe(stream: Stream, losses: Floats) -> Recipe:
    """A recipe that learns from all rows before, with these losses by period."""
    number = len(losses)
    rows = np.full(number, (len(stream) - stream.first_live) // number)
    first_rows = stream.first_live + np.concatenate([[0], np.cumsum(rows)])
    return Recipe(stream, [np.arange(first) for first in first_rows[:-1]], losses, rows, first_rows)


def losses_with(change: int | None) -> Floats:
    """Losses of 0.5; where the world changes before a period, fits from before have 2 from there on."""
    made, judged = np.indices((PERIODS, PERIODS))
    losses = np.full((PERIODS, PERIODS), 0.5)
    if change is not None:
        losses[(made < change) & (judged >= change)] = 2.0
    return np.where(judged >= made, losses, np.nan)


@pytest.mark.parametrize("rule", cost_rules.RULES, ids=lambda rule: rule.name)
def test_rules_of_costs_learn_from_the_first_periods_and_stop_where_a_fit_brings_nothing(rule: cost_rules.Cara, still: Stream) -> None:
    assert rule.refits(recipe(still, losses_with(None))) == [1, 2, 3]


@pytest.mark.parametrize("threshold", [rule for rule in cost_rules.RULES if "threshold" in rule.name], ids=lambda rule: rule.name)
def test_a_threshold_of_loss_is_passed_in_the_period_after_a_change(threshold: cost_rules.Cara, still: Stream) -> None:
    late, early = losses_with(12), losses_with(2)
    both = np.where(np.indices(late.shape)[0] < 4, np.fmax(late, early), late)
    assert 13 in threshold.refits(recipe(still, both))


def test_the_forecast_fits_again_where_older_fits_are_worse_the_older_they_are(still: Stream) -> None:
    made, judged = np.indices((PERIODS, PERIODS))
    aging = np.where(judged >= made, 0.5 + 0.05 * (judged - made), np.nan)
    assert len(cost_rules.Upf().refits(recipe(still, aging))) == PERIODS - 1


@pytest.mark.parametrize("rule", drift_rules.RULES, ids=lambda rule: rule.name)
def test_rules_of_inputs_fit_again_after_a_period_whose_columns_moved(rule: drift_rules.InputDrift, still: Stream) -> None:
    calm = recipe(still, losses_with(None))
    assert rule.refits(calm) == []
    moved = still.table.to_pandas()
    numbers = [column.name for column in still.data.features]
    moved.loc[int(calm.first_rows[10]) :, numbers] += 1.0
    shifted = recipe(Stream(**{**vars(still), "table": pa.Table.from_pandas(moved, preserve_index=False)}), losses_with(None))
    assert rule.refits(shifted)[0] == 11


def test_the_true_probabilities_have_the_least_expected_loss() -> None:
    sample = fresh(BEFORE)
    true = np.column_stack([1 - sample.positive, sample.positive])
    other = fresh(AFTER).positive
    assert sample.expected_loss(true) < sample.expected_loss(0.9 * true + 0.05)
    assert sample.expected_loss(true) < sample.expected_loss(np.column_stack([1 - other, other]))


def test_promotions_count_as_worse_beyond_a_thousandth() -> None:
    serving = [Serving(f"v{number}", float(number), (loss,)) for number, loss in enumerate([0.5, 0.5004, 0.4, 0.41])]
    assert worse_promotions(serving) == 1


def test_worlds_change_where_the_streams_do() -> None:
    assert world_changes("abrupt", 4_000) == [2_000]
    assert world_changes("recurring", 20_000)[:2] == [3_000, 6_400]


def test_labels_of_positives_come_a_day_after_their_rows_and_others_a_week() -> None:
    table = with_label_times(simulated("none", 100).table).to_pandas()
    delays = {truth: set(rows["known"] - rows[TIME]) for truth, rows in table.groupby(TARGET)}
    assert delays == {True: {timedelta(days=1)}, False: {timedelta(days=7)}}


def test_a_part_that_is_measured_anew_replaces_its_own_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = Row("a", 1.0, "ratio"), Row("b", math.inf, "rows", "<= 1.5", False)
    figures.keep("one", [first])
    figures.keep("two", [second])
    figures.keep("one", [second])
    assert figures.kept("one") == [second]
    assert figures.kept("two") == [second]
    assert figures.kept("three") == []
    figures.forget()
    assert figures.kept("one") == []


def test_what_all_streams_say_is_read_off_their_rows() -> None:
    peer = cost_rules.Upf().name
    rows = [
        Row(f"{stream}: {policy} over the best schedule", value, "ratio", beside=beside)
        for stream, ours, theirs in (("s", 1.0, 1.1), ("t", 1.02, 1.03), ("u", 1.01, 1.0))
        for policy, value, beside in (
            (backtests.OURS, ours, ""),
            (backtests.FRUGAL, ours, ""),
            (peer, theirs, "9 fits; best recipe in hindsight 1.015; somebody"),
        )
    ]
    found = {row.axis: row for row in backtests.over_all(rows)}
    ahead = found[f"streams on which ours loses less than {peer}"]
    assert (ahead.value, ahead.goal, ahead.holds) == (2, ">= 2", True)
    assert ahead.beside.startswith("2 where")
    assert found["mean of 3 streams: ours over the best schedule"].value == pytest.approx(1.01)
