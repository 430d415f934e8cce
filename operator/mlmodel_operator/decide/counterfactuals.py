"""Which figures would have made the verdict on a version another one, as a sentence: what a person asks first who doubts it.

An interval keeps its width in thought, and its value moves. Pure. Not here: the rules themselves (``version_acceptance.py``).
"""

from mlmodel_contract.manifest import Criterion
from mlmodel_contract.version import Comparison, Estimate, Metrics


def without_champion(baseline: Estimate | None) -> str | None:
    """Return from which loss on a first version would have been no better than a guess; None where there is no baseline."""
    if baseline is None:
        return None
    return f"a loss that is higher by {-baseline.value:.4f} would have been no better than a guess, and refused"


def champion_kept(comparison: Comparison, *, has_to_be_better: bool) -> str:
    """Return from which difference on the champion would have been kept."""
    difference = comparison.difference
    if comparison.same_recipe and difference.low == difference.high == 0:
        return "another recipe that is better on the rows that came since would have been fitted in its place"
    if has_to_be_better:
        return f"above a difference of 0 {comparison.champion} would have been kept, an earlier fit of the same recipe"
    return f"above a difference of {difference.value - difference.low:+.4f} {comparison.champion} would have been kept"


def champion_replaced(comparison: Comparison, *, has_to_be_better: bool) -> str:
    """Return up to which difference the champion would have been replaced."""
    difference = comparison.difference
    if has_to_be_better:
        return f"a difference of 0 or less would have been enough to replace {comparison.champion}, an earlier fit of the same recipe"
    return (
        f"a difference of {difference.value - difference.low:+.4f} or less would have been enough to replace {comparison.champion}: "
        "the interval would have reached 0"
    )


def guess_beaten(baseline: Estimate, comparison: Comparison | None) -> str:
    """Return which loss would have been better than a guess or, beside a champion, not shown to be worse than one."""
    if comparison is None:
        return f"a loss that is lower by more than {baseline.value:.4f} would have been better than a guess"
    return (
        f"a loss that is lower by {baseline.low:.4f} would have been no worse than a guess beyond chance, "
        f"one that is lower by {comparison.difference.value:.4f} no worse than that of {comparison.champion}, which is the lesser evil"
    )


def criteria_kept(missed: list[Criterion], metrics: Metrics) -> str:
    """Return which values would have kept the criteria that were missed; with none, groups of rows missed them."""
    needed = [_needed(criterion, metrics.get(criterion.metric)) for criterion in missed] or ["no group that misses a criterion"]
    return f"{' and '.join(needed)} would have kept what was asked; objective.onMiss: ServeBest would have served it all the same"


def _needed(criterion: Criterion, estimate: Estimate | None) -> str:
    if estimate is None:
        return f"a value of {criterion.metric}"
    if criterion.min is not None:
        return f"{criterion.metric} of {criterion.min - (estimate.high - estimate.value):.4g} or more"
    return f"{criterion.metric} of {(criterion.max or 0.0) + (estimate.value - estimate.low):.4g} or less"
