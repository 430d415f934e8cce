"""The Event that shows a decision to people, in ``kubectl describe`` and ``kubectl events``.

Not here: what is worth an Event.
"""

from typing import Any

from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.environment import MANAGER
from mlmodel_contract.status import LoggedDecision

from ..cluster.kinds import EVENT, ML_MODEL
from ..snapshot import Model
from . import names

_WARNINGS = ("RunFailed", "DataInvalid", "RolloutFailed", "RollbackRefused", "SpecUnreadable")


def build(model: Model, entry: LoggedDecision, instance: str) -> dict[str, Any]:
    """Return the Event of a decision."""
    return names.type_meta(EVENT) | {
        "metadata": {"generateName": f"{model.key.name}-", "namespace": model.key.namespace},
        "eventTime": format_time(parse_time(entry.time), "microseconds"),
        "reportingController": MANAGER,
        "reportingInstance": instance[:128],
        "action": entry.decision,
        "reason": entry.decision,
        "regarding": {
            "apiVersion": ML_MODEL.api_version,
            "kind": ML_MODEL.name,
            "name": model.key.name,
            "namespace": model.key.namespace,
            "uid": model.uid,
        },
        "note": entry.message[:1024],
        "type": "Warning" if entry.decision in _WARNINGS else "Normal",
    }
