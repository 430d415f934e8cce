"""What a run compares: which recipes are fitted and scored in it, and which versions beside them.

Pure. Not here: comparing, which the trainer does, and whether a run starts (``run_start.py``).
"""

import math
from collections.abc import Sequence

from mlmodel_contract.base import parse_time
from mlmodel_contract.manifest import Window
from mlmodel_contract.run import Competition
from mlmodel_contract.status import MLModelStatus, RetrainingStatus
from mlmodel_contract.version import COMPARISON_HALF_LIFE, ROWS_ON_FOLDS, ModelVersionSpec, Recipe, RecipeRecord

from ..snapshot import Snapshot
from .earlier_versions import pooled_versions
from .pace import first_wait, labelled_rows, labels_since_change

CHALLENGE_SHARE = 0.5
"""New labels, as a share of the rows that the first run had, for each fit of a recipe that does not lead.

One that is new, or seems to be better, competes at once.
"""

MOST_NEW = 3
"""New recipes that compete in one run; the sooner they do, the longer the best one serves."""

_CHALLENGE_EVERY = 2
"""Runs between two such fits where new rows do not come as labels."""

DRAW_EVERY = 12
"""Runs between two that try newly drawn parameters."""


def choose_competition(snapshot: Snapshot, status: MLModelStatus, number: int) -> Competition | None:
    """Return what run ``number`` compares; None where it has to begin from nothing, as a first run does."""
    live, training = status.live, snapshot.model.spec.training
    version = snapshot.versions.get(live.version) if live else None
    leader = version.spec.recipe if version else None
    if training is None or version is None or leader is None or not status.retraining.recipes:
        return None
    retraining = status.retraining
    changed = snapshot.model.spec.data is not None and snapshot.model.spec.data.time is not None and _is_new_change(status)
    older = not _is_fit_of_last_run(version.spec, retraining)
    records = _led_by(_lasting(retraining.recipes, leader, number, changed=changed), leader)
    records = [record for record in records if any(record.recipe.candidate == candidate.name for candidate in training.tried)]
    if not records or records[0].recipe != leader:
        return None
    since_change = _since_change(records, retraining.change) if changed else []
    records[1:1] = since_change
    every = _challenge_every(retraining.first_rows, labelled_rows(snapshot) - retraining.labels)
    draws = 1 if number % DRAW_EVERY == 0 and any(candidate.search for candidate in training.tried) else 0
    return Competition(
        leader=leader,
        records=records,
        tried=_tried(records, number, every, since_change=len(since_change), leader_too=older),
        draws=draws,
        versions=pooled_versions(snapshot, version.name, retraining.before_changes),
        since=retraining.newest_row,
        rows_read=retraining.rows_read,
        change=retraining.change,
        older_champion=older,
    )


def with_leader_tried(competition: Competition) -> Competition:
    """Return the competition with the leading recipe fitted anew too: where no row is new, only recipes can be compared."""
    return competition if 0 in competition.tried else competition.replace(tried=[0, *competition.tried])


def is_undecided(competition: Competition, retraining: RetrainingStatus) -> bool:
    """Return whether it is not known yet what serves in a changed world: rows since the change compete, do not lead, and are few.

    Once there are as many as a run waits for, what is known by then decides as ever.
    """
    if competition.change is None or labels_since_change(retraining) > first_wait(retraining):
        return False
    return any(record.recipe.since == competition.change for record in competition.records if record.recipe != competition.leader)


def _challenge_every(first_rows: int, new_labels: int) -> int:
    """Return the runs between two that let a recipe compete that does not lead, where each has so many new labels."""
    if not first_rows or new_labels <= 0:
        return _CHALLENGE_EVERY
    return max(1, round(CHALLENGE_SHARE * first_rows / new_labels))


def _since_change(records: Sequence[RecipeRecord], change: str | None) -> list[RecipeRecord]:
    """Return a recipe of each candidate on the rows since a change: of so few another one may be the best than of many."""
    first = {record.recipe.candidate: record.recipe for record in reversed(records)}
    leading = records[0].recipe.candidate
    recipes = [first[leading], *(recipe for candidate, recipe in first.items() if candidate != leading)]
    return [RecipeRecord(recipe=recipe.replace(window=Window.SINCE_CHANGE, since=change)) for recipe in recipes]


def _tried(records: Sequence[RecipeRecord], number: int, every: int, *, since_change: int, leader_too: bool) -> list[int]:
    """Return the positions of the recipes that are fitted and scored.

    Right after a change those are the ones on the rows since then, which come second: what is of the old world says little of the new one.
    """
    leading = [0] if leader_too else []
    if since_change:
        return [*leading, *range(1, 1 + since_change)]
    able = [index for index in range(1, len(records)) if not _waits(records[index], records)]
    others = sorted(able, key=lambda index: (_smallest_plausible(records[index], number), records[index].run))
    new = sorted((index for index in others if _is_new(records[index])), key=lambda index: records[index].run == 0)
    better = [index for index in others if _seems_better(records[index])]
    plausible = [index for index in others if _smallest_plausible(records[index], number) < 0]
    return [*leading, *(new[:MOST_NEW] or better[:1] or (plausible[:1] if number % every == 0 else []))]


def _waits(record: RecipeRecord, records: Sequence[RecipeRecord]) -> bool:
    """Return whether a recipe for the rows since a change has its turn only once the leading candidate's one is better than what leads."""
    if record.recipe.since is None or record.rows:
        return False
    first = next((one for one in records if one.recipe.since == record.recipe.since and one.rows), None)
    return first is not None and first.difference >= 0


def _is_new(record: RecipeRecord) -> bool:
    """Return whether a recipe was never tried, or on the folds of a first run alone."""
    return record.run == 0 or record.rows == ROWS_ON_FOLDS


def _seems_better(record: RecipeRecord) -> bool:
    return record.rows > 0 and record.difference < -0.5 * math.sqrt(record.variance)


def _smallest_plausible(record: RecipeRecord, number: int) -> float:
    """Return what a recipe's difference from the leading one may plausibly be: two standard errors below what is known.

    They grow as what is known is forgotten, so that each recipe has its turn again, a bad one late. One that could not be fitted has it
    after as long as a comparison needs to count half.
    """
    left_out = number - record.run
    if not record.rows:
        return -math.inf if record.run == 0 or left_out > COMPARISON_HALF_LIFE else 0.0
    return record.difference - 2 * math.sqrt(record.variance * 2 ** min(left_out / COMPARISON_HALF_LIFE, 64))


def _is_new_change(status: MLModelStatus) -> bool:
    """Return whether no recipe has competed on the rows since the last known change yet.

    It may be dated only once some runs have read rows of the changed world. A date that moves while the same version is live is that of
    the same change.
    """
    retraining, run = status.retraining, status.run
    change, newest = retraining.change, retraining.newest_row
    if change is None or newest is None or parse_time(change) > parse_time(newest):
        return change is not None
    before = run.competition.change if run and run.competition else None
    known = [parse_time(record.recipe.since) for record in retraining.recipes if record.recipe.since]
    return change != before and not any(since >= parse_time(retraining.losses[0].time) for since in known if retraining.losses)


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


def _lasting(records: Sequence[RecipeRecord], leader: Recipe, number: int, *, changed: bool) -> list[RecipeRecord]:
    """Return the records without recipes for the rows since a change where a later one is known or they are worse, but for the leader.

    Soon after a change a recipe has few rows to learn from, so that it goes on competing while it may be better. One that never had its
    turn goes with the one that it waits for.
    """
    lasting = [record for record in records if record.recipe == leader or not _is_outdated(record, number, changed=changed)]
    gone = {record.recipe.since for record in records if record not in lasting}
    return [record for record in lasting if record.recipe == leader or record.rows or record.recipe.since not in gone - {None}]


def _is_outdated(record: RecipeRecord, number: int, *, changed: bool) -> bool:
    left_out = record.run > 0 and number - record.run > COMPARISON_HALF_LIFE
    return record.recipe.window is Window.SINCE_CHANGE and (changed or left_out or _smallest_plausible(record, number) > 0)
