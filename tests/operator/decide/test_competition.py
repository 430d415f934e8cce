"""What runs compare after the first one: recipes in turn, earlier versions beside the champion; and how one of them serves again."""

import math
from datetime import timedelta

import pytest
from mlmodel_contract.manifest import Window
from mlmodel_contract.run import Competition, PrepareResult, Problem, RunDocument, ScoringResult, Stage
from mlmodel_contract.version import ROWS_ON_FOLDS, RecipeRecord, VersionScore
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import JOB, ML_MODEL, MODEL_VERSION

from tests.operator.support.fake_controllers import LiveRows, job_of
from tests.operator.support.in_memory_api import copied
from tests.operator.support.manifests import Body, packaged, prepared, recipe, records, scored, spec, trial
from tests.operator.support.model_lifecycle import ModelLifecycle

RECENT = recipe("linear", Window.RECENT)
NEW_ROWS = prepared(rows=1200, new=200, end="2024-04-10T00:00:00Z")
WORSE = (0.1, 0.05, 0.15)


def beside(version: str, difference: float, *, value: float = 0.4, variance: float = 1e-4) -> VersionScore:
    """A version on 200 new rows beside the champion: below zero it is better."""
    return VersionScore(version=version, value=value, difference=difference, variance=variance, rows=200)


def live(parts: Body | None = None) -> ModelLifecycle:
    """A model whose first run has left recipes that go on competing."""
    model = ModelLifecycle(parts)
    model.go_live(packaged(competing=records()))
    return model


def two_versions(parts: Body | None = None) -> ModelLifecycle:
    """The same once its second version, by another recipe, serves."""
    model = live(parts)
    model.annotate(retrain="second")
    package = packaged(2, against="late-v1", made_by=RECENT, competing=records(RECENT, recipe()))
    model.run_through(package, prepared=NEW_ROWS, trained=[trial(0), scored()])
    model.ready("late-v2")
    assert model.live == "late-v2"
    return model


def scores(model: ModelLifecycle, scoring: ScoringResult, score: float = 0.45, data: PrepareResult = NEW_ROWS) -> None:
    """Let the present run, on new rows, score a recipe and the versions."""
    model.ends(Stage.PREPARE, data)
    model.ends(Stage.TRAIN, trial(0, score), scoring)


def rejects(model: ModelLifecycle, competing: list[RecipeRecord] | None = None) -> None:
    """Let the present run end in a version that is worse than the champion."""
    model.ends(Stage.PACKAGE, packaged(model.run_number, against=model.live, difference=WORSE, competing=competing or records()))
    model.ends(Stage.VERIFY)
    assert model.run_state == "ChampionKept"


def loss_rises(model: ModelLifecycle, labels: int = 1500) -> None:
    """Let the live version's labels tell of a change: the loss of the first 1,500 is 0.5, that of so many later ones 1.3."""
    assert model.live is not None
    model.wait(hours=2)
    model.reports(model.live, LiveRows(rows=2000, labels=1500, loss=0.5))
    model.wait(hours=5)
    loss = (1500 * 0.5 + labels * 1.3) / (1500 + labels)
    model.reports(model.live, LiveRows(rows=4000, labels=1500 + labels, loss=loss), sequence=2)


def after_change(model: ModelLifecycle) -> PrepareResult:
    """The rows of the present run, the newest of which are of the changed world."""
    return prepared(rows=2500, new=1500, end=(model.now - timedelta(hours=1)).isoformat())


def pool(model: ModelLifecycle) -> list[str]:
    return [version.version for version in model.competition.versions]


def document(model: ModelLifecycle, stage: Stage) -> RunDocument:
    job = job_of(model.api, model.run_number, stage)
    return RunDocument.model_validate_json(job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])


# Recipes.


def test_a_first_run_draws_its_recipes() -> None:
    model = ModelLifecycle(spec(training={"task": "Classification", "trials": 5}))
    model.settle()
    assert model.status.run is not None
    assert model.status.run.competition is None
    model.ends(Stage.PREPARE)
    assert job_of(model.api, 1, Stage.TRAIN)["spec"]["completions"] == 5


def test_a_later_run_knows_who_leads_and_which_rows_were_learnt_from() -> None:
    model = live()
    model.annotate(retrain="now")
    compared = model.competition
    assert compared.leader == recipe()
    assert [record.recipe for record in compared.records] == [record.recipe for record in records()]
    assert (compared.since, compared.rows_read) == ("2024-03-31T00:00:00Z", 1000)
    assert compared.versions == []
    assert document(model, Stage.PREPARE).competition == compared


def test_its_train_job_has_a_pod_for_each_recipe_and_one_that_scores_versions() -> None:
    model = live()
    model.annotate(retrain="now")
    model.ends(Stage.PREPARE, NEW_ROWS)
    job = job_of(model.api, 2, Stage.TRAIN)["spec"]
    assert job["completions"] == model.competition.trials + 1 == len(set(model.competition.tried)) + model.competition.draws + 1
    assert job["parallelism"] <= job["completions"]


def test_every_recipe_gets_its_turn() -> None:
    model = live()
    tried = set()
    competing = records()
    for number in range(2, 18):
        model.annotate(retrain=f"request {number}")
        present = set(model.competition.tried)
        tried |= present
        assert len(present) < len(competing), "a run tries a few: that is what makes it cheap"
        scores(model, scored())
        compared = {"run": number, "rows": 200.0, "difference": 0.005, "variance": 1e-4}  # as good as the leading one, as far as is known
        competing = [record.model_copy(update=compared) if index in present else record for index, record in enumerate(competing)]
        rejects(model, competing)
    assert tried >= set(range(1, len(competing)))


def test_what_was_tried_on_folds_alone_competes_at_once_with_all_that_is_new() -> None:
    first, on_folds, *siblings = records()
    seeds = [first, on_folds.replace(difference=0.3, variance=1e-6, rows=ROWS_ON_FOLDS, run=1)]
    seeds += [sibling.replace(run=0) for sibling in siblings]
    model = ModelLifecycle()
    model.go_live(packaged(competing=seeds))
    model.annotate(retrain="second")
    assert len(siblings) == 2
    assert set(model.competition.tried) == {1, 2, 3}


def test_it_does_so_after_a_change_too_where_the_new_world_alone_competed_first() -> None:
    first, on_folds, *siblings = records()
    on_folds = on_folds.replace(difference=0.3, variance=1e-6, rows=ROWS_ON_FOLDS, run=1)
    model = ModelLifecycle()
    model.go_live(packaged(competing=[first, on_folds, *siblings]))
    loss_rises(model)
    scores(model, scored(), data=after_change(model))
    rejects(model, model.competition.records)
    model.annotate(retrain="third")
    compared = model.competition
    assert on_folds.recipe in [compared.records[index].recipe for index in compared.tried]


def test_a_recipe_that_is_far_worse_has_its_turn_again_once_that_is_forgotten() -> None:
    model = live()
    far_worse = {"run": 2, "rows": 200.0, "difference": 0.1, "variance": 1e-4}  # ten standard errors
    competing = [record.model_copy(update=far_worse) if index else record for index, record in enumerate(records())]
    tried = {}
    for number in range(2, 50):
        model.annotate(retrain=f"request {number}")
        tried[number] = set(model.competition.tried) - {0}
        scores(model, scored())
        rejects(model, competing)
    again = min(number for number, positions in tried.items() if number > 2 and positions)
    assert 20 < again < 50


def test_the_recipes_that_a_run_leaves_are_those_of_the_next_one() -> None:
    model = live()
    model.annotate(retrain="now")
    scores(model, scored())
    left = [record.replace(difference=0.01, variance=1e-4, rows=200, run=2) if index else record for index, record in enumerate(records())]
    rejects(model, left)
    assert model.status.retraining.recipes == left
    model.annotate(retrain="again")
    assert model.competition.records == left
    assert model.competition.since == "2024-04-10T00:00:00Z"


def test_the_recipe_of_a_version_that_goes_live_leads() -> None:
    model = two_versions()
    model.annotate(retrain="third")
    assert model.competition.leader == model.competition.records[0].recipe == RECENT


def test_another_spec_starts_from_nothing() -> None:
    model = live()
    model.edit(training={"task": "Classification", "trials": 3})
    assert model.status.run is not None
    assert (model.status.run.reason, model.status.run.competition, model.status.run.champion) == ("SpecChanged", None, None)
    model.ends(Stage.PREPARE)
    assert job_of(model.api, 2, Stage.TRAIN)["spec"]["completions"] == 3


def test_settings_that_change_nothing_of_a_model_do_not() -> None:
    model = live()
    model.edit(training={"task": "Classification", "trials": 2, "retries": 5}, retraining={"cooldown": "3h"})
    assert model.run_number == 1
    model.annotate(retrain="now")
    assert model.competition.leader == recipe()


def test_a_version_of_an_earlier_operator_is_compared_with_though_nobody_knows_its_recipe() -> None:
    model = live()
    version = copied(model.api.objects[Ref(MODEL_VERSION, "late-v1")])
    for field in ("window", "fits", "cpuSeconds"):
        del version["spec"][field]
    model.api.remove(MODEL_VERSION, "late-v1")
    model.api.put(version)
    model.annotate(retrain="now")
    assert model.status.run is not None
    assert (model.status.run.competition, model.status.run.champion) == (None, "late-v1")


def in_new_world(compared: Competition) -> list[RecipeRecord]:
    return [record for record in compared.records if record.recipe.window is Window.SINCE_CHANGE]


def with_worse_new_world(compared: Competition) -> list[RecipeRecord]:
    """The records once what has learnt from the rows since the change alone was shown to be worse."""
    shown = {"difference": 0.2, "variance": 1e-4, "rows": 100.0, "run": 3}
    return [record.model_copy(update=shown) if record in in_new_world(compared) else record for record in compared.records]


def test_after_a_change_a_recipe_of_each_candidate_is_tried_on_the_new_world_alone() -> None:
    model = live()
    model.wait(hours=2)
    model.reports("late-v1", LiveRows(rows=2000, labels=1500, loss=0.5))
    before = model.now
    model.wait(hours=5)
    model.reports("late-v1", LiveRows(rows=4000, labels=3000, loss=0.9), sequence=2)
    assert model.status.run is not None
    assert (model.run_number, model.status.run.reason) == (2, "Performance")

    compared = model.competition
    assert compared.change == before.isoformat().replace("+00:00", "Z")
    since_change = [record.recipe for record in in_new_world(compared)]
    assert [recipe.candidate for recipe in since_change] == ["boosted", "linear"], (
        "of few rows another than the leading one may be the best"
    )
    assert {recipe.since for recipe in since_change} == {compared.change}
    assert compared.tried == [1, 2], "beside the champion itself"

    read = after_change(model)
    scores(model, scored(), data=read)
    rejects(model, compared.records)
    model.annotate(retrain="again")
    assert in_new_world(model.competition), "it had few rows so far"

    scores(model, scored(), data=read)
    rejects(model, with_worse_new_world(compared))
    model.annotate(retrain="once more")
    assert not in_new_world(model.competition), "it is shown to be worse"


@pytest.mark.parametrize(("difference", "state"), [((0.01, -0.03, 0.05), "ChampionKept"), ((-0.01, -0.05, 0.03), "Succeeded")])
def test_a_champion_that_was_kept_is_replaced_by_a_newer_fit_of_its_recipe_only_where_that_is_better(
    difference: tuple[float, float, float], state: str
) -> None:
    model = live()
    model.annotate(retrain="second")
    scores(model, scored())
    rejects(model)
    model.annotate(retrain="third")
    assert model.competition.older_champion
    package = packaged(3, against="late-v1", difference=difference, same_recipe=True, competing=records())
    model.run_through(package, prepared=NEW_ROWS, trained=[trial(0), trial(1), scored()])
    assert model.run_state == state
    if state == "ChampionKept":
        assert "a difference of 0 or less would have been enough" in str(model.status.decisions[-1].otherwise)


def test_a_change_that_is_dated_only_after_a_run_has_read_of_it_is_competed_on_once_and_not_again() -> None:
    model = live()
    model.wait(hours=2)
    model.reports("late-v1", LiveRows(rows=2000, labels=1500, loss=0.5))
    model.annotate(retrain="before it is dated")
    end = (model.now + timedelta(hours=4)).isoformat()
    model.ends(Stage.PREPARE, prepared(rows=1200, new=200, end=end))
    model.ends(Stage.TRAIN, trial(0), scored())
    rejects(model)
    model.wait(hours=7)
    model.reports("late-v1", LiveRows(rows=4000, labels=3000, loss=0.9), sequence=2)
    assert model.run_number == 3
    compared = model.competition
    assert compared.change is not None
    assert compared.change < end, "the run before has read rows of after the change"
    assert compared.records[1].recipe.window is Window.SINCE_CHANGE
    assert compared.tried[:2] == [0, 1]

    model.ends(Stage.PREPARE, prepared(rows=1400, new=200, end=(model.now).isoformat()))
    model.ends(Stage.TRAIN, trial(0), scored())
    rejects(model, with_worse_new_world(compared))
    model.annotate(retrain="again")
    assert not in_new_world(model.competition)


def test_another_change_is_competed_on_beside_a_leading_recipe_that_is_of_an_earlier_one() -> None:
    model = live()
    loss_rises(model)
    first_change = model.competition.change
    changed = recipe().replace(window=Window.SINCE_CHANGE, since=first_change)
    package = packaged(2, against="late-v1", made_by=changed, competing=records(changed, recipe()))
    model.run_through(package, prepared=prepared(rows=2500, new=1500, end=model.now.isoformat()), trained=[trial(0), scored()])
    model.ready("late-v2")
    assert model.version(2).since == first_change

    model.wait(hours=5)
    loss_rises(model)
    model.annotate(retrain="now")
    compared = model.competition
    assert compared.leader == changed
    assert [record.recipe for record in compared.records[:2]] == [changed, changed.replace(since=compared.change)]
    assert compared.change != first_change


@pytest.mark.parametrize(("difference", "turn"), [(0.01, False), (-0.01, True)])
def test_another_candidate_has_its_turn_on_the_new_world_once_the_leading_one_is_better_there(difference: float, turn: bool) -> None:
    model = live()
    loss_rises(model)
    scores(model, scored(), data=after_change(model))
    boosted, linear = in_new_world(model.competition)
    compared = {"difference": difference, "variance": 1e-2, "rows": 100.0, "run": 2}
    left = [record.model_copy(update=compared) if record == boosted else record for record in model.competition.records]
    assert (boosted.recipe.candidate, linear.rows) == ("boosted", 0)
    rejects(model, left)
    model.annotate(retrain="again")
    assert (left.index(linear) in model.competition.tried) == turn
    assert linear in model.competition.records


def test_it_goes_with_the_leading_one_that_is_shown_to_be_worse() -> None:
    model = live()
    loss_rises(model)
    scores(model, scored(), data=after_change(model))
    boosted = in_new_world(model.competition)[0]
    worse = boosted.replace(difference=0.2, variance=1e-4, rows=100.0, run=2)
    rejects(model, [worse if record == boosted else record for record in model.competition.records])
    model.annotate(retrain="again")
    assert not in_new_world(model.competition)


# Rows that are new.


def test_where_no_row_is_new_a_run_that_nobody_asked_for_ends_well_and_at_once() -> None:
    model = live(spec(retraining={"cooldown": "1h", "triggers": ["Schedule"], "schedule": "0 3 * * *"}))
    model.wait(days=1)
    model.ends(Stage.PREPARE, prepared())
    assert (model.run_number, model.run_state) == (2, "Unchanged")
    assert "2024-03-31" in model.progress
    assert model.decisions[-1] == "Unchanged"
    assert model.condition("Progressing").reason == "Idle"
    assert Ref(JOB, "late-r2-train") not in model.api.objects
    assert (model.live, model.status.retraining.failed_in_a_row) == ("late-v1", 0)


def test_where_no_row_is_new_a_person_gets_recipes_compared_with_the_leading_one() -> None:
    model = live()
    model.annotate(retrain="now")
    model.ends(Stage.PREPARE, prepared())
    assert model.run_state == "Running"
    assert model.competition.tried[0] == 0
    assert job_of(model.api, 2, Stage.TRAIN)["spec"]["completions"] == model.competition.trials + 1


# Earlier versions.


def test_earlier_versions_are_scored_beside_the_champion() -> None:
    model = two_versions()
    model.annotate(retrain="third")
    assert pool(model) == ["late-v1"]
    (version,) = model.competition.versions
    assert version.artifact == model.version(1).artifact
    assert document(model, Stage.PREPARE).champion_version == "late-v2"


def test_a_run_that_begins_as_a_version_goes_live_scores_the_one_before_it() -> None:
    model = live()
    model.annotate(retrain="second")
    model.run_through(packaged(2, against="late-v1", competing=records()), prepared=NEW_ROWS, trained=[trial(0), scored()])
    model.annotate(retrain="third")
    assert model.run_number == 2, "the candidate gets ready first"
    model.ready("late-v2")
    assert (model.run_number, model.live) == (3, "late-v2")
    assert pool(model) == ["late-v1"]


def test_after_a_return_the_rows_since_the_change_go_on_competing() -> None:
    """The version that came back was the best by few rows."""
    model = two_versions()
    loss_rises(model, labels=120)
    assert in_new_world(model.competition)
    scores(model, scored(0.5, beside("late-v1", -0.03, variance=2e-4)))
    assert model.run_state == "Returned"
    assert "2.1 standard errors after the world changed" in model.progress
    model.ready("late-v1")
    model.annotate(retrain="again")
    assert in_new_world(model.competition)


def test_long_after_a_change_a_version_comes_back_by_strong_evidence_alone() -> None:
    """By then it is known what serves in the changed world."""
    model = two_versions()
    loss_rises(model)
    assert in_new_world(model.competition)
    scores(model, scored(0.5, beside("late-v1", -0.03, variance=2e-4)))
    assert model.run_state == "Running"
    assert Ref(JOB, "late-r3-package") in model.api.objects


def test_versions_that_served_when_the_world_changed_are_scored_however_many_came_since() -> None:
    model = live()
    loss_rises(model)
    for number in range(2, 13):
        package = packaged(number, against=model.live, competing=records())
        model.run_through(package, prepared=NEW_ROWS, trained=[trial(0), scored()])
        model.ready(f"late-v{number}")
        model.wait(hours=2)  # so that the version before has drained
        model.annotate(retrain=f"after {number}")
    assert pool(model) == [*(f"late-v{number}" for number in range(11, 4, -1)), "late-v1"]


def test_refused_versions_and_those_that_never_got_ready_are_not_scored() -> None:
    model = live(spec(serving={"progressDeadline": "1m"}))
    model.annotate(retrain="second")
    scores(model, scored())
    rejects(model)
    model.annotate(retrain="third")
    model.run_through(packaged(3, against="late-v1", competing=records()), prepared=NEW_ROWS, trained=[trial(0), scored()])
    model.wait(minutes=2)
    assert (model.version_status(2).phase, model.version_status(3).phase) == ("Rejected", "Failed")
    model.annotate(retrain="fourth")
    assert (model.live, pool(model)) == ("late-v1", [])


def test_an_earlier_version_that_is_better_serves_again_without_a_new_one() -> None:
    model = two_versions()
    model.wait(minutes=1)
    model.annotate(retrain="third")
    scores(model, scored(0.5, beside("late-v1", -0.1)))

    assert (model.run_state, model.decisions[-1]) == ("Returned", "Returned")
    assert "late-v1 serves again: on the 200 labelled rows that came since" in model.progress
    assert "late-v2's by -0.1" in model.progress
    assert model.api.events[-1]["note"].startswith("run 3: late-v1 serves again")
    assert Ref(JOB, "late-r3-package") not in model.api.objects
    assert Ref(MODEL_VERSION, "late-v3") not in model.api.objects
    assert model.status.candidate is not None
    assert (model.status.candidate.version, model.traffic) == ("late-v1", "late-v2")

    model.ready("late-v1")
    assert model.live == model.traffic == "late-v1"
    assert model.condition("Progressing").reason == "Idle"
    assert model.status.retraining.versions == [], "what was known beside the version before is void beside this one"


def test_a_version_that_comes_back_is_not_harmful_by_what_it_showed_before_it_was_replaced() -> None:
    model = live()
    model.wait(hours=2)
    model.reports("late-v1", LiveRows(rows=4000, labels=3000, loss=0.9))
    assert model.status.drift is not None
    assert model.status.drift.harm == "Confirmed"
    model.run_through(packaged(2, against="late-v1", made_by=RECENT, competing=records(RECENT, recipe())), prepared=NEW_ROWS)
    model.ready("late-v2")
    model.annotate(retrain="third")
    scores(model, scored(0.5, beside("late-v1", -0.1)))
    model.ready("late-v1")
    assert model.live == "late-v1"
    model.reports("late-v1", LiveRows(rows=200, labels=200, loss=0.3), pod="late-v1-1")
    assert (model.status.drift.rows, model.status.drift.labels) == (200, 200)
    assert model.status.drift.harm != "Confirmed"


def test_a_recipe_that_is_better_still_is_packaged_in_its_place() -> None:
    model = two_versions()
    model.annotate(retrain="third")
    scores(model, scored(0.5, beside("late-v1", -0.1)), score=0.35)
    assert (model.run_state, model.status.candidate) == ("Running", None)
    assert Ref(JOB, "late-r3-package") in model.api.objects


def test_where_a_higher_metric_is_better_the_higher_one_is_the_better_one() -> None:
    for score, state in ((0.85, "Returned"), (0.95, "Running")):
        model = two_versions(spec(training={"task": "Classification", "trials": 2, "selectBy": "roc_auc"}))
        model.annotate(retrain="third")
        scores(model, scored(0.8, beside("late-v1", -0.1, value=0.9)), score=score)
        assert model.run_state == state


def test_evidence_for_an_earlier_version_grows_over_runs() -> None:
    """One run's rows tell little of a small difference; a version that was lucky once must not serve for it."""
    model = two_versions()
    evidence = [0.0]
    for number in range(3, 15):
        model.annotate(retrain=f"request {number}")
        scores(model, scored(0.5, beside("late-v1", -0.02)))
        if model.run_state == "Returned":
            break
        (record,) = model.status.retraining.versions
        evidence.append(record.evidence)
        rejects(model)
    assert model.run_state == "Returned"
    assert len(evidence) > 2
    assert evidence == sorted(evidence)
    assert max(evidence) < math.log(100), "e-values of 100 and more are evidence"


def test_a_version_that_was_not_better_begins_anew() -> None:
    model = two_versions()
    model.annotate(retrain="third")
    scores(model, scored(0.5, beside("late-v1", -0.01)))
    rejects(model)
    assert model.status.retraining.versions[0].rows == 200
    model.annotate(retrain="fourth")
    scores(model, scored(0.5, beside("late-v1", 0.05)))
    assert (model.status.retraining.versions[0].rows, model.status.retraining.versions[0].evidence) == (0, 0.0)


def test_after_a_return_its_recipe_leads_and_is_fitted_anew_and_the_version_that_left_is_scored() -> None:
    """The bundle that came back has not learnt from the newest rows, so its own predictions do not speak for its recipe."""
    model = two_versions()
    model.annotate(retrain="third")
    scores(model, scored(0.5, beside("late-v1", -0.1)))
    model.ready("late-v1")
    model.annotate(retrain="fourth")
    compared = model.competition
    assert compared.leader == compared.records[0].recipe == recipe()
    assert 0 in compared.tried
    assert pool(model) == ["late-v2"]
    assert RECENT in [record.recipe for record in compared.records]


def test_a_version_that_comes_back_and_does_not_get_ready_leaves_the_live_one() -> None:
    model = two_versions(spec(serving={"progressDeadline": "1m", "drain": "1s"}))
    model.wait(hours=1)
    model.annotate(retrain="third")
    scores(model, scored(0.5, beside("late-v1", -0.1)))
    model.wait(minutes=2)
    assert (model.live, model.traffic, model.status.candidate) == ("late-v2", "late-v2", None)
    assert model.status.retraining.failed_in_a_row == 1
    model.annotate(retrain="fourth")
    assert pool(model) == [], "it is not tried for ever"


def test_a_champion_that_cannot_be_read_fails_the_run_with_the_reason() -> None:
    model = two_versions()
    model.annotate(retrain="third")
    scores(model, ScoringResult(problems=[Problem(check="ChampionUnreadable", message="late-v2 cannot be compared: restore it")]))
    assert (model.run_state, model.progress) == ("Failed", "ChampionUnreadable: late-v2 cannot be compared: restore it")


def test_without_scores_of_versions_recipes_are_compared_all_the_same() -> None:
    """The pod that scores may have died for good; the champion is compared with when the new version is packaged."""
    model = two_versions()
    model.annotate(retrain="third")
    model.ends(Stage.PREPARE, NEW_ROWS)
    model.ends(Stage.TRAIN, trial(0))
    assert Ref(JOB, "late-r3-package") in model.api.objects


@pytest.mark.parametrize("damage", ["recipes", "versions", "losses", "costs"])
def test_memory_that_somebody_removes_is_begun_anew(damage: str) -> None:
    model = two_versions()
    model.api.change(ML_MODEL, "late", lambda body: body["status"]["retraining"].pop(damage))
    model.settle()
    model.annotate(retrain="third")
    assert (model.run_number, model.run_state) == (3, "Running")
