"""Whether the demonstration showed what it is for. Pure.

Not here: how the verdict is shown.
"""

from dataclasses import dataclass

from mlmodel_cli.backtest.summary import schedule_name
from mlmodel_contract.status import Phase
from mlmodel_contract.version import Reason, Verdict

from demo.story import Story, Version
from demo.worth import Worth

ON_FIGURES = ("BaselineNotBeaten", "CriterionMissed", "SliceMissed", "ChampionBetter")
BY_MONITORING = (Reason.DRIFT, Reason.PERFORMANCE, Reason.NEW_ROWS)
SERVED = (Phase.LIVE, Phase.DRAINING, Phase.RETIRED)


@dataclass(frozen=True)
class Requirement:
    """One thing that must be so, whether it is, and what was found."""

    wanted: str
    met: bool
    found: str


def check_requirements(story: Story, worth: Worth) -> list[Requirement]:
    """Return the requirements."""
    return [_went_live(story), _learnt_anew(story), _none_failed(story), _beat_never(worth), _beat_monthly(worth)]


def _went_live(story: Story) -> Requirement:
    for name, version in story.versions.items():
        decision = version.spec.decision
        if decision.verdict is Verdict.ACCEPTED and version.status.phase in SERVED and story.served_by(name)[0] > 0:
            return Requirement("a version went live by meeting its criteria", met=True, found=f"{name}: {decision.message}")
    return Requirement("a version went live by meeting its criteria", met=False, found="no accepted version answered a request")


def _learnt_anew(story: Story) -> Requirement:
    wanted = "a run was started by drift, loss or new labels, and its version was promoted or refused on figures"
    started = {name: version for name, version in story.versions.items() if version.spec.reason in BY_MONITORING}
    ended = [name for name, version in started.items() if _ended(version)]
    if ended:
        return Requirement(wanted, met=True, found="; ".join(_outcome(name, started[name]) for name in ended))
    found = ", ".join(f"{name} is {version.status.phase or 'new'}" for name, version in started.items())
    return Requirement(wanted, met=False, found=found or "monitoring started no run that made a version")


def _outcome(name: str, version: Version) -> str:
    decision = version.spec.decision
    word = "promoted" if decision.verdict is Verdict.ACCEPTED else "refused"
    return f"{name} ({version.spec.reason.value}) was {word}: {decision.message}"


def _ended(version: Version) -> bool:
    decision = version.spec.decision
    if decision.verdict is Verdict.ACCEPTED:
        return version.status.phase in SERVED
    return decision.reason in ON_FIGURES


def _none_failed(story: Story) -> Requirement:
    totals = story.totals
    errors = [error for day in story.days for error in day.errors]
    found = f"{totals.failed:,} of {totals.requests:,} requests failed"
    if story.replay != "Succeeded":
        return Requirement("every request was answered", met=False, found=f"the replay did not end well ({story.replay}); {found}")
    return Requirement("every request was answered", met=totals.failed == 0 < totals.requests, found="; first: ".join([found, *errors[:1]]))


def _beat_never(worth: Worth) -> Requirement:
    found = f"{worth.result.mean_loss:.4f}, and the first version alone {worth.first.mean_loss:.4f}"
    return Requirement("what was served lost less than never retraining", met=worth.saved_loss(worth.first) > 0, found=found)


def _beat_monthly(worth: Worth) -> Requirement:
    """Ask for less loss than a monthly schedule of the first version's candidate has, where the days hold enough months for one."""
    wanted, best = "what was served lost less than a monthly schedule", worth.monthly
    if best is None:
        return Requirement(wanted, met=not worth.monthly_is_asked, found="no monthly schedule could be fitted")
    found = f"{worth.result.mean_loss:.4f}, and {schedule_name(worth.result, best)} {best.mean_loss:.4f}"
    if not worth.monthly_is_asked:
        weeks = len(worth.result.period_starts)
        return Requirement(f"{wanted} (not asked: {weeks} weeks have too few months)", met=True, found=found)
    return Requirement(wanted, met=worth.saved_loss(best) > 0, found=found)
