"""Which recipe leads, by what fits said of rows that came later."""

import math

import numpy as np
import pytest
from mlmodel_contract.manifest import Window
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import TrialResult
from mlmodel_contract.version import Recipe, RecipeRecord
from model_server.train.evaluate.competition import compare, first_records, lead, with_draw
from model_server.train.evaluate.evaluation import PairedDifference

LINEAR, BOOSTED, FOREST = (Recipe(candidate=name) for name in ("linear", "boosted", "forest"))


def record(recipe: Recipe, difference: float = 0.0, error: float = 0.01, rows: float = 200.0) -> RecipeRecord:
    return RecipeRecord(recipe=recipe, difference=difference, variance=error**2, rows=rows, run=1)


def found(mean: float, error: float = 0.01, rows: int = 200) -> PairedDifference:
    return PairedDifference(mean, error**2, rows)


def on_folds(recipe: Recipe, score: float) -> TrialResult:
    return TrialResult(index=0, candidate=recipe.candidate, parameters=recipe.parameters, score=score, deviation=0.02, fits=2)


def leads(*records: RecipeRecord) -> str:
    return lead(records)[0].recipe.candidate


def test_the_leading_recipe_stays_unless_another_is_better_beyond_its_error() -> None:
    assert leads(record(LINEAR), record(BOOSTED, 0.05)) == "linear"
    assert leads(record(LINEAR), record(BOOSTED, -0.001, error=0.05)) == "linear"
    assert leads(record(LINEAR), record(BOOSTED, -0.05)) == "boosted"
    assert leads(record(LINEAR), record(BOOSTED, -0.5, rows=0)) == "linear", "it was not compared yet"


def test_of_several_that_are_better_the_best_one_leads_and_all_are_kept_beside_it() -> None:
    records = lead([record(LINEAR), record(BOOSTED, -0.05), record(FOREST, -0.2)])
    assert [one.recipe.candidate for one in records[:2]] == ["forest", "linear"]
    assert sorted(one.recipe.candidate for one in records) == ["boosted", "forest", "linear"]
    differences = {one.recipe.candidate: one.difference for one in records}
    assert differences == pytest.approx({"forest": 0.0, "linear": 0.2, "boosted": 0.15})


def test_who_leads_does_not_change_by_asking_twice() -> None:
    once = lead([record(LINEAR), record(BOOSTED, -0.05), record(FOREST, -0.2)])
    assert lead(once) == once


def test_comparisons_are_averaged_and_the_newest_rows_count_most() -> None:
    records = [record(LINEAR, rows=0), RecipeRecord(recipe=BOOSTED)]
    for run, mean in enumerate((0.1, 0.1, 0.1), start=2):
        records = compare(records, {1: found(mean)}, run)
    assert records[1].difference == pytest.approx(0.1)
    assert records[1].run == 4
    assert records[1].variance < 0.01**2, "three comparisons are known better than one"
    known = records[1].rows
    for run in range(5, 120):
        records = compare(records, {1: found(-0.1)}, run)
    assert records[1].difference == pytest.approx(-0.1, abs=0.001), "what was long ago is forgotten"
    assert known < records[1].rows < 120 * 200


def test_of_two_comparisons_the_newer_one_counts_more() -> None:
    records = [record(LINEAR, rows=0), RecipeRecord(recipe=BOOSTED)]
    for run, mean in ((2, 0.1), (3, -0.1)):
        records = compare(records, {1: found(mean)}, run)
    assert records[1].difference < 0


def test_recipes_that_were_not_tried_and_figures_that_are_none_change_nothing() -> None:
    records = [record(LINEAR), record(BOOSTED, 0.03), record(FOREST, 0.02)]
    assert compare(records, {}, 2) == records
    assert compare(records, {1: PairedDifference(float("nan"), float("nan"), 200)}, 2) == records


def test_newly_drawn_parameters_take_the_place_of_worse_ones_of_their_kind_alone() -> None:
    drawn = BOOSTED.replace(parameters={"learning_rate": "0.3"})
    records = [record(LINEAR), record(BOOSTED, 0.05), record(FOREST, 0.1)]
    better = with_draw(records, record(drawn, -0.05))
    assert [one.recipe for one in better] == [LINEAR, FOREST, drawn]
    assert with_draw(records, record(drawn, 0.2)) == records
    assert with_draw(records, record(drawn.replace(window=Window.RECENT), -0.05)) == records, "no recipe is of its kind and window"


def test_parameters_better_than_the_leading_ones_compete_beside_them() -> None:
    drawn = LINEAR.replace(parameters={"C": "0.1"})
    records = with_draw([record(LINEAR), record(BOOSTED, 0.05)], record(drawn, -0.05))
    assert [one.recipe for one in records] == [LINEAR, BOOSTED, drawn]
    assert lead(records)[0].recipe == drawn


def test_after_a_first_run_the_best_of_each_candidate_goes_on_on_every_window() -> None:
    tuned = BOOSTED.replace(parameters={"learning_rate": "0.3"})
    ranked = [on_folds(tuned, 0.4), on_folds(BOOSTED, 0.45), on_folds(LINEAR, 0.5)]
    records = first_records(ranked, Metric.LOG_LOSS, [Window.ALL, Window.RECENT], 1)
    assert records[0].recipe == tuned
    kinds = {(one.recipe.candidate, one.recipe.window) for one in records}
    assert kinds == {(name, window) for name in ("boosted", "linear") for window in (Window.ALL, Window.RECENT)}
    assert all(one.recipe.parameters == (tuned.parameters if one.recipe.candidate == "boosted" else {}) for one in records)
    assert [one.recipe.window for one in first_records(ranked[2:], Metric.LOG_LOSS, [Window.ALL], 1)] == [Window.ALL]


def test_what_the_folds_said_is_replaced_by_the_first_comparison() -> None:
    ranked = [on_folds(LINEAR, 0.4), on_folds(BOOSTED, 0.45)]
    records = first_records(ranked, Metric.LOG_LOSS, [Window.ALL], 1)
    boosted = records[1]
    assert boosted.recipe == BOOSTED
    assert boosted.difference == pytest.approx(0.05)
    assert math.sqrt(boosted.variance) > 0.02, "both deviate by 0.02 over the folds, which are small"
    assert lead(records) == records
    after = compare(records, {1: found(-0.01)}, 2)[1]
    assert after.difference == pytest.approx(-0.01, abs=1e-3)


def test_a_new_leader_makes_what_is_known_of_the_others_less_sure() -> None:
    records = [record(LINEAR), record(BOOSTED, -0.05), record(FOREST, 0.02)]
    led = lead(records)
    assert led[0].recipe == BOOSTED
    forest = led[2]
    assert forest.difference == pytest.approx(0.07)
    assert forest.variance == pytest.approx(records[1].variance + records[2].variance)


def test_equal_recipes_seldom_take_turns_and_a_better_one_soon_leads() -> None:
    """A switch by chance costs nothing where recipes are equal; one that never comes would cost the whole difference."""
    random = np.random.default_rng(3)
    switches, soon = 0, 0
    for _ in range(200):
        records = [record(LINEAR, rows=0), RecipeRecord(recipe=BOOSTED)]
        records = compare(records, {1: found(float(random.normal(0, 0.01)))}, 2)
        switches += lead(records)[0].recipe == BOOSTED
        for run in range(3, 8):
            records = compare(records, {1: found(float(random.normal(-0.02, 0.01)))}, run)
        soon += lead(records)[0].recipe == BOOSTED
    assert switches < 80
    assert soon > 190
