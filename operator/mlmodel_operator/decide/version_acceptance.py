"""Whether a packaged version may serve: it beats the baseline, keeps what was promised, and is not shown to be worse than the live one.

A recipe that leads is fitted anew on newer rows and serves unless it is shown to be worse: where the world changes, newer is better until
shown otherwise, and where it does not, equal. A champion that was kept or came back has shown otherwise. Not here: the figures, which the
trainer measured on the holdout.
"""

from mlmodel_contract.base import LONGEST_MESSAGE
from mlmodel_contract.manifest import Criterion, Objective, OnMiss
from mlmodel_contract.run import PackageResult
from mlmodel_contract.version import Comparison, Estimate, Metrics, Verdict, VersionVerdict

from .counterfactuals import champion_kept, champion_replaced, criteria_kept, guess_beaten, without_champion

_KEEP_LIVE = "objective.onMiss: KeepLive would have refused it"


def acceptance_verdict(objective: Objective, package: PackageResult, *, older_champion: bool = False) -> VersionVerdict:
    """Return the verdict by the objective and the holdout's figures; ``older_champion``: it was kept, or came back."""
    metrics = package.metrics or Metrics()
    if package.baseline is not None and not _beats(package.baseline, package.comparison):
        return _rejected("BaselineNotBeaten", _baseline_sentence(package.baseline), guess_beaten(package.baseline, package.comparison))
    criteria = [criterion for criterion in objective.criteria if _shown_to_miss(criterion, metrics)]
    missed = [*_missed(criteria, metrics), *_missed_slices(objective, package)]
    if objective.on_miss is OnMiss.KEEP_LIVE and missed:
        return _rejected("CriterionMissed" if criteria else "SliceMissed", "; ".join(missed), criteria_kept(criteria, metrics))
    return _against_champion(objective, package, missed, older_champion=older_champion)


def _against_champion(objective: Objective, package: PackageResult, missed: list[str], *, older_champion: bool) -> VersionVerdict:
    metrics = package.metrics or Metrics()
    figures = ", ".join(f"{criterion.metric} {_value(criterion, metrics)}" for criterion in objective.criteria)
    comparison = package.comparison
    if comparison is None:
        if missed:
            message = f"the best there is, though it misses what was asked (objective.onMiss): {'; '.join(missed)}"
            return _accepted("BestThereIs", message, _KEEP_LIVE)
        return _accepted("CriteriaMet", f"no criterion is missed on the holdout: {figures}", without_champion(package.baseline))
    compared = f"{_compared(comparison)}; {figures}" + (f"; it misses what was asked: {'; '.join(missed)}" if missed else "")
    recipe = package.recipe
    has_to_be_better = older_champion and comparison.same_recipe
    if comparison.difference.low > 0 or (has_to_be_better and comparison.difference.value > 0):
        word = "worse" if comparison.difference.low > 0 else "no better"
        message = f"the champion is still the best, {recipe} is {word}: {compared}"
        return _rejected("ChampionBetter", message, champion_replaced(comparison, has_to_be_better=has_to_be_better))
    otherwise = "; ".join([champion_kept(comparison, has_to_be_better=has_to_be_better), *([_KEEP_LIVE] if missed else [])])
    if comparison.same_recipe:
        return _accepted("Fresher", f"the leading recipe, {recipe}, on newer rows: {compared}", otherwise)
    if comparison.difference.high < 0:
        return _accepted("BetterThanChampion", f"{recipe} is better: {compared}", otherwise)
    return _accepted("BetterRecipe", f"{recipe} leads now: {compared}", otherwise)


def _compared(comparison: Comparison) -> str:
    difference = comparison.difference
    if comparison.same_recipe and difference.low == difference.high == 0:
        return f"{comparison.champion} is of the same recipe, and no recipe was better on the rows that came since"
    return (
        f"against {comparison.champion} on rows that came since, its recipe's loss differs by {difference.value:+.4f} "
        f"(95% between {difference.low:+.4f} and {difference.high:+.4f})"
    )


def _beats(baseline: Estimate, comparison: Comparison | None) -> bool:
    """Return whether the version is better than a guess; beside a champion it must be shown to be worse, and not be the lesser evil."""
    return baseline.value < 0 or (comparison is not None and (baseline.low <= 0 or comparison.difference.value <= 0))


def _baseline_sentence(baseline: Estimate) -> str:
    return (
        f"it is no better than a guess by the shares of the classes, or the mean: its loss differs by {baseline.value:+.4f} on the holdout"
    )


def _missed(criteria: list[Criterion], metrics: Metrics) -> list[str]:
    return [f"{criterion} was asked, the holdout gives {_value(criterion, metrics)}" for criterion in criteria]


def _shown_to_miss(criterion: Criterion, metrics: Metrics) -> bool:
    """Return whether the version is shown to miss the criterion: by the whole of the 95% interval."""
    estimate = metrics.get(criterion.metric)
    return estimate is None or not (criterion.met_by(estimate.low) or criterion.met_by(estimate.high))


def _value(criterion: Criterion, metrics: Metrics) -> str:
    estimate = metrics.get(criterion.metric)
    return "no value" if estimate is None else f"{estimate.value:.4g} (95% between {estimate.low:.4g} and {estimate.high:.4g})"


def _missed_slices(objective: Objective, package: PackageResult) -> list[str]:
    return [
        f"in {group.column}={group.value} ({group.rows} rows) {criterion} was asked, there is {group.metrics[criterion.metric]:.4g}"
        for group in package.slices
        for criterion in objective.criteria
        if criterion.metric in group.missed and criterion.metric in group.metrics
    ]


def _accepted(reason: str, message: str, otherwise: str | None) -> VersionVerdict:
    return VersionVerdict(verdict=Verdict.ACCEPTED, reason=reason, message=message[:LONGEST_MESSAGE], otherwise=otherwise)


def _rejected(reason: str, message: str, otherwise: str) -> VersionVerdict:
    return VersionVerdict(verdict=Verdict.REJECTED, reason=reason, message=message[:LONGEST_MESSAGE], otherwise=otherwise)
