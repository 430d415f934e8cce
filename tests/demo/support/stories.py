"""Stories as a test needs them: days, versions and decisions with round figures."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mlmodel_contract.status import LoggedDecision, MLModelStatus, ModelVersionStatus, Phase
from mlmodel_contract.version import ModelVersionSpec

from demo.replay_log import Day, Served
from demo.scenario import Scenario
from demo.story import FirstLoss, Observation, Story, Version

FIRST = date(2013, 4, 1)
BEGAN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SCENARIO = Scenario(date(2013, 1, 1), date(2013, 3, 31), FIRST, date(2013, 4, 30), seconds_per_day=2.0)
ACCEPTED = {"verdict": "Accepted", "reason": "CriteriaMet", "message": "all criteria are met"}
CHAMPION_BETTER = {"verdict": "Rejected", "reason": "ChampionBetter", "message": "the champion is still the best"}


def day(number: int, failed: int = 0, **versions: tuple[int, float]) -> Day:
    """Return the replay's day of that number; versions as ``v1=(rows, loss)``."""
    served = {f"flight-delay-{name}": Served(rows, loss) for name, (rows, loss) in (versions or {"v1": (100, 50.0)}).items()}
    rows = sum(answered.rows for answered in served.values())
    errors = ["infer: 503: no"] * failed
    began = BEGAN + timedelta(seconds=SCENARIO.seconds_per_day * number)
    return Day(FIRST + timedelta(days=number), began, 10, failed, rows, 5, 0, rows, rows, 12.0, 0.0, served, errors)


def version(reason: str, decision: Mapping[str, Any], phase: Phase | None) -> Version:
    """Return a version that was made for that reason and decided on so."""
    artifact = {"uri": "s3://airline/mlmodel", "digest": "sha256:" + "0" * 64}
    spec = {"model": "flight-delay", "run": 1, "reason": reason, "artifact": artifact, "decision": dict(decision)}
    return Version(ModelVersionSpec.model_validate(spec), ModelVersionStatus(phase=phase))


def decision(word: str, seconds: float, message: str = "why") -> LoggedDecision:
    """Return a decision so many seconds after the replay's beginning."""
    return LoggedDecision(time=(BEGAN + timedelta(seconds=seconds)).isoformat(), decision=word, version="flight-delay-v2", message=message)


def story(days: tuple[Day, ...], replay: str | None = "Succeeded", **versions: Version) -> Story:
    """Return the story of these days and versions, the first version alone always having a loss of 1."""
    named = {f"flight-delay-{name}": found for name, found in versions.items()}
    first = {one.day: FirstLoss(one.rows, float(one.rows)) for one in days}
    return Story(SCENARIO, first=first).updated(Observation(MLModelStatus(), named, replay), days)
