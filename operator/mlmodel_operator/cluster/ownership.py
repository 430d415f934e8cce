"""Whose an object is: the one answer that the cache, the snapshot and the writes go by.

Not here: what follows for an object that is somebody else's.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from mlmodel_contract.environment import LABEL_MANAGED_BY, LABEL_MODEL, MANAGER

from .kinds import ML_MODEL, MODEL_VERSION, MONITOR_REPORT, Kind


class Key(NamedTuple):
    """The namespace and name of an MLModel."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Owner:
    """The MLModel that an object belongs to, and how the object says so."""

    key: Key
    uids: frozenset[str]  # of the MLModels in the owner references; empty where the object names its model by spec or label alone
    has_lost_owner: bool  # no owner reference is left, but the labels that the operator has set are

    def is_model(self, uid: str) -> bool:
        """Return whether an owner reference names that very MLModel."""
        return uid in self.uids

    def is_other_model(self, uid: str) -> bool:
        """Return whether the owner references name other MLModels alone, such as a deleted one of the same name."""
        return bool(self.uids) and uid not in self.uids

    def may_be_written(self, key: Key, uid: str) -> bool:
        """Return whether the operator may write the object for that MLModel: it is its own, or was before the owner reference was lost."""
        return self.is_model(uid) or (self.has_lost_owner and self.key == key)


def owner_of(kind: Kind, body: dict[str, Any]) -> Owner | None:
    """Return the MLModel that an object is, or names in its spec, its owner references or its label; None where it names none."""
    metadata = body["metadata"]
    labels, references = metadata.get("labels") or {}, metadata.get("ownerReferences") or []
    models = [reference for reference in references if reference["kind"] == ML_MODEL.name]
    if kind is ML_MODEL:
        name = metadata["name"]
    elif kind in (MODEL_VERSION, MONITOR_REPORT):
        name = body["spec"]["model"]
    else:
        name = models[0]["name"] if models else labels.get(LABEL_MODEL)
    if not name:
        return None
    has_lost_owner = not references and labels.get(LABEL_MANAGED_BY) == MANAGER and labels.get(LABEL_MODEL) == name
    return Owner(Key(metadata["namespace"], name), frozenset(reference["uid"] for reference in models), has_lost_owner)
