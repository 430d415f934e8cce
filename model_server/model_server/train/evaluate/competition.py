"""Which recipe leads: what recipes' fits said of rows that came later, the newest rows counting most.

Pure. A recipe is compared, not a fit: the one with the best single fit has been lucky. Not here: fitting, and scoring versions
(``versions.py``).
"""

import math
from collections.abc import Mapping, Sequence

from mlmodel_contract.manifest import Window
from mlmodel_contract.quality_metrics import Metric, as_loss
from mlmodel_contract.run import TrialResult
from mlmodel_contract.version import (
    COMPARISON_HALF_LIFE,
    ROWS_ON_FOLDS,
    STANDARD_ERRORS_SINCE_CHANGE,
    STANDARD_ERRORS_TO_LEAD,
    RecipeRecord,
)

from .evaluation import PairedDifference

_DOUBT_ON_FOLDS = 4.0  # times the variance: folds are smaller than what will be learnt from, which favours the simple


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
    shifted = [_shifted(record, best) for record in others[1:]]
    deposed = others[0].replace(difference=-best.difference, variance=best.variance, rows=best.rows, run=best.run)
    return [best.replace(difference=0.0, variance=0.0, rows=0.0), deposed, *shifted]


def with_draw(records: Sequence[RecipeRecord], drawn: RecipeRecord) -> list[RecipeRecord]:
    """Return the records with a newly drawn recipe, where it is better than the one of its candidate and window, in that one's place."""
    for index, record in enumerate(records):
        same = record.recipe.replace(parameters=drawn.recipe.parameters) == drawn.recipe
        if same and drawn.difference < record.difference - STANDARD_ERRORS_TO_LEAD * math.sqrt(drawn.variance):
            return [*records[:index], *records[index + 1 :], drawn] if index else [*records, drawn]
    return list(records)


def first_records(ranked: Sequence[TrialResult], metric: Metric, windows: Sequence[Window], run: int) -> list[RecipeRecord]:
    """Return the recipes that go on competing after a first run: the best of each candidate, on every window.

    What the folds said of them tells which are worth a comparison (``ROWS_ON_FOLDS``).

    Args:
        ranked: the trials that have a score, the winner first.
        metric: that of the scores.
        windows: those that the manifest asks for.
        run: the run's number.

    """
    best = {trial.candidate: trial for trial in reversed(ranked)}
    winner = ranked[0]
    trials = [winner, *(trial for trial in best.values() if trial is not winner)]
    siblings = [trial.recipe.replace(window=window) for trial in trials for window in windows if window is not trial.window]
    first = [RecipeRecord(recipe=winner.recipe, run=run), *(_on_folds(trial, winner, metric, run) for trial in trials[1:])]
    return [*first, *(RecipeRecord(recipe=recipe) for recipe in siblings)]


def _on_folds(trial: TrialResult, winner: TrialResult, metric: Metric, run: int) -> RecipeRecord:
    losses = [as_loss(metric, one.score) for one in (trial, winner) if one.score is not None]
    variance = _DOUBT_ON_FOLDS * (trial.deviation**2 + winner.deviation**2) / max(1, winner.fits)
    difference = _rounded(losses[0] - losses[1])
    return RecipeRecord(recipe=trial.recipe, difference=difference, variance=_rounded(variance), rows=ROWS_ON_FOLDS, run=run)


def _shifted(record: RecipeRecord, leader: RecipeRecord) -> RecipeRecord:
    """Return the record with its difference taken from a new leading recipe; the two comparisons were on other rows."""
    if not record.rows:
        return record
    difference, variance = record.difference - leader.difference, record.variance + leader.variance
    return record.replace(difference=_rounded(difference), variance=_rounded(variance))


def _margin(record: RecipeRecord) -> float:
    errors = STANDARD_ERRORS_SINCE_CHANGE if record.recipe.window is Window.SINCE_CHANGE else STANDARD_ERRORS_TO_LEAD
    return errors * math.sqrt(record.variance)


def _with(record: RecipeRecord, found: PairedDifference, run: int) -> RecipeRecord:
    if not math.isfinite(found.mean):
        return record
    discounted = record.rows * 0.5 ** (max(1, run - record.run) / COMPARISON_HALF_LIFE)
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
