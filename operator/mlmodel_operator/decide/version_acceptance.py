"""Whether a packaged version may serve: it meets every criterion, in every slice, and is better than the champion.

Not here: the figures, which the trainer measured on the holdout.
"""

from mlmodel_contract.base import LONGEST_MESSAGE
from mlmodel_contract.manifest import Criterion, Objective
from mlmodel_contract.run import PackageResult
from mlmodel_contract.version import Metrics, Verdict, VersionVerdict


def acceptance_verdict(objective: Objective, package: PackageResult) -> VersionVerdict:
    """Return the verdict by the objective and the holdout's figures."""
    metrics = package.metrics or Metrics()
    missed = [criterion for criterion in objective.criteria if not _met(criterion, metrics)]
    if missed:
        message = "; ".join(f"{criterion} was asked, the holdout gives {_value(criterion, metrics)}" for criterion in missed)
        return VersionVerdict(verdict=Verdict.REJECTED, reason="CriterionMissed", message=message)
    slices = _missed_slices(objective, package)
    if slices:
        return VersionVerdict(verdict=Verdict.REJECTED, reason="SliceMissed", message="; ".join(slices)[:LONGEST_MESSAGE])
    return _against_champion(objective, package, metrics)


def _against_champion(objective: Objective, package: PackageResult, metrics: Metrics) -> VersionVerdict:
    figures = ", ".join(f"{criterion.metric} {_value(criterion, metrics)}" for criterion in objective.criteria)
    comparison = package.comparison
    if comparison is None:
        return VersionVerdict(verdict=Verdict.ACCEPTED, reason="CriteriaMet", message=f"all criteria are met on the holdout: {figures}")
    difference = comparison.difference
    compared = (
        f"against {comparison.champion} on the same rows the loss differs by {difference.value:+.4f} "
        f"(95% between {difference.low:+.4f} and {difference.high:+.4f}); {figures}"
    )
    if difference.high < 0:
        return VersionVerdict(verdict=Verdict.ACCEPTED, reason="BetterThanChampion", message=f"better: {compared}")
    fallen = [criterion for criterion in objective.criteria if not _met(criterion, comparison.metrics)]
    if fallen and difference.value < 0:
        names = ", ".join(f"{criterion} (it has {_value(criterion, comparison.metrics)})" for criterion in fallen)
        message = f"not surely better, but the champion no longer meets {names}: {compared}"
        return VersionVerdict(verdict=Verdict.ACCEPTED, reason="ChampionMissesCriteria", message=message)
    return VersionVerdict(verdict=Verdict.REJECTED, reason="NotBetter", message=f"not proven better: {compared}")


def _met(criterion: Criterion, metrics: Metrics) -> bool:
    estimate = metrics.get(criterion.metric)
    return estimate is not None and criterion.met_by(estimate.value)


def _value(criterion: Criterion, metrics: Metrics) -> str:
    estimate = metrics.get(criterion.metric)
    return "no value" if estimate is None else f"{estimate.value:.4g} (95% between {estimate.low:.4g} and {estimate.high:.4g})"


def _missed_slices(objective: Objective, package: PackageResult) -> list[str]:
    least = {asked.column: asked.min_rows for asked in objective.slices}
    return [
        f"in {group.column}={group.value} ({group.rows} rows) {criterion} was asked, there is {group.metrics[criterion.metric]:.4g}"
        for group in package.slices
        for criterion in objective.criteria
        if group.rows >= least.get(group.column, 0)
        and criterion.metric in group.metrics
        and not criterion.met_by(group.metrics[criterion.metric])
    ]
