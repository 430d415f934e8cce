"""What a decision consists of: objects, statuses, events, and when to reconcile again.

Not here: how it is reached, and how it is carried out (``act.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlmodel_contract.status import LoggedDecision, MLModelStatus, ModelVersionStatus

from ..cluster.cache import Body, Ref


@dataclass(frozen=True)
class DesiredState:
    """The desired state of everything that belongs to a model."""

    status: MLModelStatus
    time: datetime
    versions: Mapping[str, ModelVersionStatus] = field(default_factory=dict)
    create: tuple[Body, ...] = ()  # immutable objects, created once: Jobs, ModelVersions, claims
    apply: tuple[Body, ...] = ()  # children that are applied again where they differ
    delete: tuple[Ref, ...] = ()
    needs_prediction_key: bool = False  # a Secret that only the API server knows; made before the first server
    log: tuple[LoggedDecision, ...] = ()  # new entries, which become Events too
    refused_reports: Mapping[str, int] = field(default_factory=dict)  # reports that were not counted, by reason
    requeue_after: float | None = None  # seconds


def earliest(*seconds: float | None) -> float | None:
    """Return the smallest of the delays that are given; None where none is."""
    return min((value for value in seconds if value is not None), default=None)
