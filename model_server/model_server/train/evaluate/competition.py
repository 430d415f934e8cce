"""Which recipe leads: what recipes' fits said of rows that came later, the newest rows counting most.

Pure. A recipe is compared, not a fit: the one with the best single fit has been lucky. Not here: fitting, and scoring versions
(``versions.py``).
"""

import math
from collections.abc import Mapping, Sequence

from mlmodel_contract.manifest import Window
from mlmodel_contract.version import STANDARD_ERRORS_TO_LEAD, Recipe, RecipeRecord

from .evaluation import PairedDifference

HALF_LIFE = 8.0
"""Runs after which a comparison counts half: what was better last year says little of the world of today."""

STANDARD_ERRORS_SINCE_CHANGE = 3.0
"""By how many a recipe on the rows since a change has to be better, which are few at first: a fit on them may be anything."""


def compare(records: Sequence[RecipeRecord], found: Mapping[int, PairedDifference], run: int) -> list[RecipeRecord]:
    """Return the records with this run's differences from the leading recipe, the first one, added.

    Args:
        records: the recipes, the leading one first.
        found: by position, the difference from the leading recipe on rows that neither has learnt from.
        run: the run's number.

    """
    return [_with(record, found[index], run) if index in found else record for index, record in enumerate(records)]


def lead(records: Sequence[RecipeRecord]) -> list[RecipeRecord]:
    """Return the records with the recipe that is to be served first, and all differences taken from it.

    That is the first one, unless another is better by ``STANDARD_ERRORS_TO_LEAD``; then it is the one with the smallest mean.
    """
    better = [record for record in records[1:] if record.rows and record.difference < -_margin(record)]
    if not better:
        return list(records)
    best = min(better, key=lambda record: record.difference)
    others = [record for record in records if record is not best]
    shifted = [record.replace(difference=record.difference - best.difference) if record.rows else record for record in others[1:]]
    deposed = others[0].replace(difference=-best.difference, variance=best.variance, rows=best.rows, run=best.run)
    return [best.replace(difference=0.0, variance=0.0, rows=0.0), deposed, *shifted]


def with_draw(records: Sequence[RecipeRecord], drawn: RecipeRecord) -> list[RecipeRecord]:
    """Return the records with a newly drawn recipe, where it is better than the one of its candidate and window, in that one's place."""
    for index, record in enumerate(records):
        same = (record.recipe.candidate, record.recipe.window) == (drawn.recipe.candidate, drawn.recipe.window)
        if same and drawn.difference < record.difference - STANDARD_ERRORS_TO_LEAD * math.sqrt(drawn.variance):
            return [*records[:index], *records[index + 1 :], drawn] if index else [*records, drawn]
    return list(records)


def first_records(ranked: Sequence[Recipe], windows: Sequence[Window], run: int) -> list[RecipeRecord]:
    """Return the recipes that go on competing after a first run: the best of each candidate, on every window.

    Args:
        ranked: the recipes that the run tried, the best one, which is the winner, first.
        windows: those that the manifest asks for.
        run: the run's number.

    """
    best = {recipe.candidate: recipe for recipe in reversed(ranked)}
    winner = ranked[0]
    recipes = [winner, *(recipe for recipe in best.values() if recipe != winner)]
    siblings = [recipe.replace(window=window) for recipe in recipes for window in windows if window is not recipe.window]
    return [RecipeRecord(recipe=recipe, run=run) for recipe in recipes] + [RecipeRecord(recipe=recipe) for recipe in siblings]


def _margin(record: RecipeRecord) -> float:
    errors = STANDARD_ERRORS_SINCE_CHANGE if record.recipe.window is Window.SINCE_CHANGE else STANDARD_ERRORS_TO_LEAD
    return errors * math.sqrt(record.variance)


def _with(record: RecipeRecord, found: PairedDifference, run: int) -> RecipeRecord:
    if not math.isfinite(found.mean):
        return record
    discounted = record.rows * 0.5 ** (max(1, run - record.run) / HALF_LIFE)
    rows = discounted + found.rows
    share, new = discounted / rows, found.rows / rows
    return record.replace(
        difference=_rounded(share * record.difference + new * found.mean),
        variance=_rounded(share**2 * record.variance + new**2 * found.variance),
        rows=_rounded(rows),
        run=run,
    )


def _rounded(value: float) -> float:
    """Return six digits: a result has to fit into a termination message."""
    return float(f"{value:.6g}")
