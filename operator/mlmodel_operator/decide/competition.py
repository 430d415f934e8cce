"""What a run compares: which recipes are fitted and scored in it, and which versions beside them.

Pure. Not here: comparing, which the trainer does, and whether a run starts (``run_start.py``).
"""

import math
from collections.abc import Sequence

from mlmodel_contract.base import parse_time
from mlmodel_contract.manifest import Window
from mlmodel_contract.run import Competition
from mlmodel_contract.status import MLModelStatus, RetrainingStatus
from mlmodel_contract.version import ModelVersionSpec, Recipe, RecipeRecord

from ..snapshot import Snapshot
from .earlier_versions import pooled_versions

CHALLENGE_EVERY = 2
"""Runs between two that let a recipe compete that does not lead; one that is new, or seems to be better, competes at once."""

MOST_LEFT_OUT = 8
"""Runs for which a recipe may be left out, however bad it was: the world changes."""

_DOUBT = 0.5
"""By how many standard errors each run adds to the doubt about a recipe that was not compared in it."""

DRAW_EVERY = 12
"""Runs between two that try newly drawn parameters."""


def choose_competition(snapshot: Snapshot, status: MLModelStatus, number: int) -> Competition | None:
    """Return what run ``number`` compares; None where it has to begin from nothing, as a first run does."""
    live, training = status.live, snapshot.model.spec.training
    version = snapshot.versions.get(live.version) if live else None
    leader = recipe_of(version.spec) if version else None
    if training is None or version is None or leader is None or not status.retraining.recipes:
        return None
    retraining = status.retraining
    changed = _is_new_change(retraining)
    records = _led_by(_lasting(retraining.recipes, leader), leader)
    if changed:
        records.insert(1, RecipeRecord(recipe=leader.replace(window=Window.SINCE_CHANGE)))
    records = [record for record in records if any(record.recipe.candidate == candidate.name for candidate in training.tried)]
    if not records or records[0].recipe != leader:
        return None
    draws = 1 if number % DRAW_EVERY == 0 and any(candidate.search for candidate in training.tried) else 0
    return Competition(
        leader=leader,
        records=records,
        tried=_tried(records, number, changed=changed, leader_too=changed or not _is_fit_of_last_run(version.spec, retraining)),
        draws=draws,
        versions=pooled_versions(snapshot, version.name),
        since=retraining.newest_row,
        rows_read=retraining.rows_read,
        change=retraining.change,
    )


def recipe_of(spec: ModelVersionSpec) -> Recipe | None:
    """Return the recipe that a version was made by; None of one that was trained elsewhere, or by an earlier operator."""
    if spec.candidate is None or spec.window is None:
        return None
    return Recipe(candidate=spec.candidate, parameters=spec.parameters, window=spec.window)


def with_leader_tried(competition: Competition) -> Competition:
    """Return the competition with the leading recipe fitted anew too: where no row is new, only recipes can be compared."""
    return competition if 0 in competition.tried else competition.replace(tried=[0, *competition.tried])


def _tried(records: Sequence[RecipeRecord], number: int, *, changed: bool, leader_too: bool) -> list[int]:
    """Return the positions of the recipes that are fitted and scored: after a change the leading one on the rows since then is one."""
    others = sorted(range(1 + changed, len(records)), key=lambda index: _turn(records[index], number))
    urgent = [index for index in others if _is_urgent(records[index])]
    challengers = urgent[:1] or (others[:1] if changed or number % CHALLENGE_EVERY == 0 else [])
    return [*([0] if leader_too else []), *([1] if changed else []), *challengers]


def _is_urgent(record: RecipeRecord) -> bool:
    """Return whether a recipe is new, or seems to be better than the leading one."""
    return record.run == 0 or (record.rows > 0 and record.difference < -0.5 * math.sqrt(record.variance))


def _turn(record: RecipeRecord, number: int) -> tuple[float, int]:
    """Return by what recipes take turns: the smallest plausible difference comes first, but for one that was left out for long.

    Plausible is what lies two standard errors below, and more the longer ago the comparison was.
    """
    left_out = number - record.run
    if left_out > MOST_LEFT_OUT:
        return -math.inf, record.run
    return record.difference - 2 * math.sqrt(record.variance) * (1 + _DOUBT * left_out), record.run


def _is_new_change(retraining: RetrainingStatus) -> bool:
    """Return whether no run has seen rows of the changed world yet."""
    change, newest = retraining.change, retraining.newest_row
    return change is not None and (newest is None or parse_time(change) > parse_time(newest))


def _is_fit_of_last_run(spec: ModelVersionSpec, retraining: RetrainingStatus) -> bool:
    """Return whether the version has seen just what the last run has, so that its own predictions of newer rows are its recipe's."""
    data = spec.data
    return data is not None and data.end == retraining.newest_row and data.train_rows + data.holdout_rows == retraining.rows_read


def _led_by(records: Sequence[RecipeRecord], leader: Recipe) -> list[RecipeRecord]:
    """Return the records with the live version's recipe first; after a person's rollback it may be another one than before."""
    if records[0].recipe == leader:
        return list(records)
    others = [record for record in records if record.recipe != leader]
    return [RecipeRecord(recipe=leader), *(record.replace(difference=0.0, variance=0.0, rows=0.0) for record in others)]


def _lasting(records: Sequence[RecipeRecord], leader: Recipe) -> list[RecipeRecord]:
    """Return the records without recipes for the rows since an earlier change, but for the leading one."""
    return [record for record in records if record.recipe.window is not Window.SINCE_CHANGE or record.recipe == leader]
