"""What a decision consists of: objects, statuses, events, and when to look again.

Not here: how it is reached, and how it is carried out (``act.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlmodel_contract.status import LoggedDecision, MLModelStatus, ModelVersionStatus

from ..cluster.cache import Body, Ref


@dataclass(frozen=True)
class DesiredState:
    """The desired state of everything that belongs to a model."""

    status: MLModelStatus
    time: datetime
    versions: Mapping[str, ModelVersionStatus] = field(default_factory=dict)
    create: tuple[Body, ...] = ()  # immutable facts, made once: Jobs, ModelVersions, claims
    apply: tuple[Body, ...] = ()  # children that are kept as they are given here
    delete: tuple[Ref, ...] = ()
    needs_prediction_key: bool = False  # a Secret that only the API server knows; made before the first server
    log: tuple[LoggedDecision, ...] = ()  # new entries, told as Events too
    refused_reports: Mapping[str, int] = field(default_factory=dict)  # reports that were not counted, by reason
    look_again: float | None = None  # seconds


def stamp(now: datetime) -> str:
    """Return a time as Kubernetes writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Parse a time that Kubernetes or ``stamp`` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def soonest(*seconds: float | None) -> float | None:
    """Return the smallest of the times that are given."""
    return min((value for value in seconds if value is not None), default=None)
