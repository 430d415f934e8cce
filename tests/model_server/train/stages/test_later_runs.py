"""Runs after the first: judged on rows that came since, beside champion and earlier versions; changed and returning worlds."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mlmodel_contract.manifest import Window
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import Competition, PackageResult, PooledVersion, PrepareResult
from mlmodel_contract.version import Artifact, Recipe, RecipeRecord

from tests.model_server.support.training_runs import Run, flights

pytestmark = pytest.mark.slow

ROWS = 800
WORLD = flights(2000)
MONEY: dict[str, Any] = {"value": {"outcomes": {"truePositive": 2, "falsePositive": -1}, "currency": "EUR"}}


def inverted(table: pa.Table) -> pa.Table:
    """The same rows in a world where what was late is not."""
    return table.set_column(table.column_names.index("late"), "late", pa.array([not late for late in table["late"].to_pylist()]))


def time_of(row: int) -> str:
    return str(WORLD["at"][row].as_py().isoformat())


@dataclass
class Made:
    """A run that has left a version."""

    run: Run
    prepared: PrepareResult
    package: PackageResult

    @property
    def version(self) -> PooledVersion:
        assert self.package.artifact is not None
        return PooledVersion(version=f"flights-v{self.run.number}", artifact=self.package.artifact)


def packaged(run: Run, trials: int) -> Made:
    prepared = run.prepare()
    assert prepared.problems == []
    for index in range(trials):
        assert run.trial(index).failure is None
    return Made(run, prepared, run.package())


def since(made: Made, row: int) -> list[Recipe]:
    """The recipes of a first run on the rows from a changed one on."""
    return [record.recipe.replace(window=Window.SINCE_CHANGE, since=time_of(row - 1)) for record in made.package.records[:2]]


def first(root: Path, table: pa.Table, **changes: Any) -> Made:
    run = Run(root, **changes)
    run.write(table)
    return packaged(run, 2)


def later(
    before: Made,
    table: pa.Table,
    *,
    number: int = 2,
    tried: Sequence[int] = (),
    since: int = ROWS,
    records: Sequence[RecipeRecord] = (),
    change: int | None = None,
    draws: int = 0,
    versions: Sequence[PooledVersion] = (),
    **changes: Any,
) -> Run:
    """A run of that number on these rows, of which the first ``since`` were learnt from; ``change`` is the first row of a changed world."""
    competing = list(records or before.package.records)
    competition = Competition(
        leader=competing[0].recipe,
        records=competing,
        tried=list(tried),
        draws=draws,
        versions=list(versions),
        since=time_of(since - 1),
        rows_read=since,
        change=None if change is None else time_of(change - 1),
    )
    champion = {"champion": before.version.artifact.wire(), "championVersion": before.version.version}
    run = Run(before.run.root, number=number, extra=champion | {"competition": competition.wire()}, **changes)
    run.write(table)
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return first(tmp_path_factory.mktemp("run"), WORLD.slice(0, ROWS))


@pytest.fixture
def original(made: Made, tmp_path: Path) -> Made:
    """The same in a folder of the test's own."""
    shutil.copytree(made.run.root, tmp_path, dirs_exist_ok=True)
    return Made(Run(tmp_path), made.prepared, made.package)


def test_a_first_version_serves_what_all_rows_say_and_its_figures_are_of_rows_it_had_not_learnt_from(made: Made) -> None:
    assert made.prepared.lineage is not None
    assert (made.prepared.lineage.train_rows, made.prepared.lineage.holdout_rows) == (640, 160)
    assert made.package.fitted_rows == ROWS
    assert made.package.window_start is not None
    assert {record.recipe.candidate for record in made.package.records} == {"linear", "boosted"}
    assert made.package.records[0].recipe.candidate == made.package.candidate
    assert made.package.fits == 2, "one that is judged, and one that serves"
    assert made.package.baseline is not None
    assert made.package.baseline.high < 0, "it is better than a guess"


def test_without_refit_the_fit_that_was_judged_serves(tmp_path: Path) -> None:
    made = first(tmp_path, WORLD.slice(0, ROWS), training={"validation": {"refit": False}})
    assert made.package.fitted_rows == 640


def test_a_later_run_is_judged_on_what_is_new_and_serves_what_all_rows_say(original: Made) -> None:
    found = packaged(later(original, WORLD.slice(0, 1000), tried=[0, 1]), 2)
    assert found.prepared.lineage is not None
    assert (found.prepared.new_rows, found.prepared.lineage.holdout_rows) == (200, 200)
    assert found.package.comparison is not None
    assert found.package.comparison.champion == "flights-v1"
    assert found.package.fitted_rows == (1000 if found.package.window is Window.ALL else 250)
    compared = [record for record in found.package.records if record.rows]
    assert [record.run for record in compared] == [2]
    assert len(found.package.records) == len(original.package.records)


def test_where_the_leading_recipe_is_not_fitted_anew_the_champion_speaks_for_it(original: Made) -> None:
    """It is the very fit that had not learnt from the new rows: so a run costs a fit less."""
    run = later(original, WORLD.slice(0, 1000))
    assert run.prepare().problems == []
    package = run.package()
    assert package.comparison is not None
    assert package.comparison.same_recipe
    assert (package.comparison.difference.low, package.comparison.difference.high) == (0.0, 0.0)
    assert package.metrics == package.comparison.metrics
    assert (package.fits, package.fitted_rows) == (1, 1000)


def test_parameters_are_drawn_anew_where_a_run_is_to_draw(original: Made) -> None:
    run = later(original, WORLD.slice(0, 1000), tried=[0], draws=1)
    assert run.prepare().problems == []
    trials = [run.trial(index) for index in range(2)]
    known = [record.recipe for record in original.package.records]
    assert trials[0].recipe == known[0]
    assert trials[1].recipe not in known
    assert trials[1].window is known[0].window
    assert run.package().problems == []


def test_after_a_change_the_new_world_is_learnt_from_and_judged_by(original: Made) -> None:
    table = pa.concat_tables([WORLD.slice(0, ROWS), inverted(WORLD.slice(ROWS, 300))])
    recipes = since(original, ROWS)
    records = [*original.package.records, *(RecipeRecord(recipe=recipe) for recipe in recipes)]
    run = later(original, table, tried=range(len(records)), records=records, change=ROWS)
    found = packaged(run, len(records))
    assert found.prepared.lineage is not None
    assert found.prepared.lineage.holdout_rows == 300, "the new world"
    assert found.package.window is Window.SINCE_CHANGE
    assert found.package.window_start == time_of(ROWS).replace("+00:00", "Z")
    assert found.package.fitted_rows == 300
    assert found.package.comparison is not None
    assert found.package.comparison.difference.high < 0
    assert not found.package.comparison.same_recipe
    assert found.package.records[0].recipe == recipes[[recipe.candidate for recipe in recipes].index(found.package.candidate or "")]


def test_a_new_world_of_few_rows_is_predicted_by_fits_that_have_not_seen_what_they_predict(original: Made) -> None:
    """Were they fitted on all of it, rows that nothing tells of would be predicted better than by chance."""
    table = pa.concat_tables([WORLD.slice(0, ROWS), inverted(WORLD.slice(ROWS, 60))])
    noise = table.set_column(table.column_names.index("late"), "late", pa.array(np.random.default_rng(5).random(ROWS + 60) < 0.5))
    for rows, learnt in ((table, True), (noise, False)):
        records = [*original.package.records, *(RecipeRecord(recipe=recipe) for recipe in since(original, ROWS))]
        index = next(place for place, record in enumerate(records) if record.recipe.since and record.recipe.candidate == "linear")
        run = later(original, rows, tried=[index], records=records, change=ROWS)
        assert run.prepare().problems == []
        trial = run.trial(0)
        assert trial.score is not None
        assert trial.fits == 3, "each stretch by a fit on the others"
        assert (trial.score < math.log(2) - 0.02) == learnt
        assert (run.package().window is Window.SINCE_CHANGE) == learnt


def test_where_the_leading_candidate_is_no_better_on_the_new_rows_alone_the_others_are_not_fitted(original: Made) -> None:
    """The loss rose, and the world is the same: what all rows say is better than what a few do."""
    other = pa.concat_tables([WORLD.slice(0, ROWS), inverted(WORLD.slice(ROWS, 60))])
    for rows, changed in ((WORLD.slice(0, ROWS + 60), False), (other, True)):
        records = [*original.package.records, *(RecipeRecord(recipe=recipe) for recipe in since(original, ROWS))]
        tried = [place for place, record in enumerate(records) if record.recipe.since]
        run = later(original, rows, tried=tried, records=records, change=ROWS)
        assert run.prepare().problems == []
        first, second = (run.trial(index) for index in range(2))
        assert first.fits == 3
        assert (second.fits, "is left out" in str(second.failure)) == ((3, False) if changed else (0, True))
        compared = [record for record in run.package().records if record.recipe.since and record.run]
        assert len(compared) == (2 if changed else 1)


def test_once_a_third_of_its_rows_was_known_before_a_new_world_is_predicted_by_one_fit_on_them(original: Made) -> None:
    table = pa.concat_tables([WORLD.slice(0, ROWS - 100), inverted(WORLD.slice(ROWS - 100, 300))])
    run = later(original, table, tried=[0], records=[RecipeRecord(recipe=since(original, ROWS - 100)[0])], change=ROWS - 100)
    assert run.prepare().problems == []
    assert run.trial(0).fits == 1


def test_a_new_world_of_too_few_rows_is_tried_again_with_more(original: Made) -> None:
    table = pa.concat_tables([WORLD.slice(0, ROWS), inverted(WORLD.slice(ROWS, 39))])
    records = [*original.package.records, RecipeRecord(recipe=since(original, ROWS)[0])]
    run = later(original, table, tried=[len(records) - 1], records=records, change=ROWS)
    assert run.prepare().problems == []
    assert "39 rows since" in str(run.trial(0).failure)
    assert [record.run for record in run.package().records if record.recipe.since] == [0], "its turn is still to come"


def test_the_recipes_of_two_changes_learn_from_rows_since_their_own(original: Made) -> None:
    """The one before the last leads, and the world of before the first change came back."""
    first_change, second_change = ROWS - 300, ROWS
    table = pa.concat_tables([WORLD.slice(0, first_change), inverted(WORLD.slice(first_change, 300)), WORLD.slice(ROWS, 200)])
    leading, newest = since(original, first_change)[0], since(original, second_change)[0]
    run = later(original, table, tried=[0, 1], records=[RecipeRecord(recipe=leading), RecipeRecord(recipe=newest)], change=second_change)
    found = packaged(run, 2)
    assert found.package.recipe == newest
    assert found.package.fitted_rows == 200
    assert [record.recipe for record in found.package.records] == [newest, leading]
    stays = later(original, table, tried=[0], records=[RecipeRecord(recipe=leading)], change=second_change, number=3)
    assert packaged(stays, 1).package.fitted_rows == 500


def test_when_a_world_returns_the_version_that_knew_it_is_shown_to_be_better(original: Made, tmp_path: Path) -> None:
    other = first(tmp_path / "other", inverted(WORLD.slice(0, ROWS)), number=2)
    shutil.copytree(tmp_path / "other/mlmodel/claims/store/flights/versions", original.run.store / "versions", dirs_exist_ok=True)
    live = Made(Run(original.run.root, number=2), other.prepared, other.package)
    table = pa.concat_tables([inverted(WORLD.slice(0, ROWS)), WORLD.slice(ROWS, 200)])
    gone = PooledVersion(version="flights-v0", artifact=Artifact(uri="pvc://store/gone", digest="sha256:" + "0" * 64))
    run = later(live, table, number=3, tried=[1], versions=[original.version, gone])
    assert run.prepare().new_rows == 200
    scoring = run.score_versions(1)
    assert scoring.problems == []
    (score,) = scoring.versions  # one that cannot be read has no score, for nothing depends on it
    assert (score.version, score.rows) == ("flights-v1", 200)
    assert score.difference < -5 * np.sqrt(score.variance) < 0
    assert scoring.champion is not None
    assert score.value < scoring.champion
    assert score.value - scoring.champion == pytest.approx(score.difference)


def test_a_champion_that_cannot_be_read_is_a_problem_before_anything_is_packaged(original: Made) -> None:
    shutil.rmtree(original.run.store / "versions/flights-v1")
    run = later(original, WORLD.slice(0, 1000), tried=[1])
    run.prepare()
    (problem,) = run.score_versions(1).problems
    assert problem.check == "ChampionUnreadable"
    assert "flights-v1" in problem.message


def test_where_hardly_a_row_is_new_nothing_is_said_of_versions(original: Made) -> None:
    """They have learnt from those that judge: only recipes can be compared, by fits that have not."""
    run = later(original, WORLD.slice(0, ROWS + 5), tried=[0, 1])
    found = packaged(run, 2)
    assert found.prepared.new_rows == 5
    scoring = run.score_versions(2)
    assert (scoring.champion, scoring.versions, scoring.problems) == (None, [], [])
    assert found.package.comparison is None
    assert found.package.artifact is not None


def test_a_target_that_nothing_tells_of_is_guessed_no_worse(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    table = WORLD.slice(0, ROWS).set_column(1, "late", pa.array(random.random(ROWS) < 0.3))
    baseline = first(tmp_path, table).package.baseline
    assert baseline is not None
    assert baseline.high > 0, "it is not shown to be better than a guess"


def test_where_predictions_have_a_value_the_version_its_champion_and_a_guess_are_told_in_money(tmp_path: Path) -> None:
    original = first(tmp_path, WORLD.slice(0, ROWS), objective=MONEY)
    assert original.package.worth is not None
    assert original.package.worth.version > original.package.worth.baseline
    assert (original.package.worth.currency, original.package.worth.champion) == ("EUR", None)
    run = later(original, WORLD.slice(0, 1000), tried=[1], versions=[original.version], objective=MONEY)
    run.prepare()
    assert run.trial(0).failure is None
    (score,) = run.score_versions(1).versions
    assert score.worth == 0.0, "beside itself"
    worth = run.package().worth
    assert worth is not None
    assert worth.champion is not None


def test_recipes_and_versions_are_compared_by_the_metric_that_is_asked_for(original: Made) -> None:
    run = later(original, WORLD.slice(0, 1000), tried=[0], training={"selectBy": "roc_auc"})
    run.prepare()
    trial, scoring = run.trial(0), run.score_versions(1)
    assert trial.score is not None
    assert scoring.champion is not None
    assert 0.5 < trial.score < 1
    package = run.package()
    assert package.metrics is not None
    assert package.metrics.get(Metric.ROC_AUC) is not None
    assert package.comparison is not None
    assert package.comparison.difference.value == pytest.approx(scoring.champion - trial.score)
