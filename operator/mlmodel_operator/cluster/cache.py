"""What the operator has last seen of the cluster: trimmed copies of objects, found by the MLModel that they belong to.

An older copy never replaces a newer one, so that an answer to our own write is not undone by a late watch event.
Not here: requests to the API.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlmodel_contract.environment import LABEL_MODEL

from .kinds import DEPLOYMENT, FIELD_MANAGER, ML_MODEL, MODEL_VERSION, MONITOR_REPORT, Kind, kind_of

Body = dict[str, Any]
_EMPTY: Mapping["Ref", Body] = MappingProxyType({})

REPLICAS_OWNED_ELSEWHERE = "replicasOwnedElsewhere"
"""Added to the metadata of a cached Deployment whose replicas somebody else has set, an autoscaler or a person."""


class Key(NamedTuple):
    """The MLModel that work is done for."""

    namespace: str
    name: str


class Ref(NamedTuple):
    """An object of a model's namespace."""

    kind: Kind
    name: str


def ref_of(body: Body) -> Ref:
    """Return what a manifest is found by."""
    return Ref(kind_of(body), body["metadata"]["name"])


class Cache:
    """Objects by model. All of it is one asyncio thread's, so nothing is locked."""

    def __init__(self) -> None:
        self._objects: dict[Key, dict[Ref, Body]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(len(objects) for objects in self._objects.values())

    @property
    def keys(self) -> list[Key]:
        """Every model of which anything is known."""
        return list(self._objects)

    def of(self, key: Key) -> Mapping[Ref, Body]:
        """Return all objects of a model, the MLModel itself included."""
        return self._objects.get(key, _EMPTY)

    def put(self, kind: Kind, body: Body) -> Key | None:
        """Store an object and return the model it belongs to; None where it belongs to none."""
        key = owner(kind, body)
        if key is None:
            return None
        ref = Ref(kind, body["metadata"]["name"])
        known = self._objects[key].get(ref)
        if known is None or not _is_older(body, known):
            self._objects[key][ref] = trim(kind, body)
        return key

    def drop(self, kind: Kind, body: Body) -> Key | None:
        """Forget an object, unless another one of its name has come since, and return the model it belonged to."""
        key = owner(kind, body)
        if key is None:
            return None
        ref = Ref(kind, body["metadata"]["name"])
        known = self.of(key).get(ref)
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            self._forget(key, ref)
        return key

    def _forget(self, key: Key, ref: Ref) -> None:
        del self._objects[key][ref]
        if not self._objects[key]:
            del self._objects[key]

    def replace(self, kind: Kind, bodies: Iterable[Body], listed_at: int) -> set[Key]:
        """Take over a list of all objects of a kind, made at a resource version; what is newer than the list stays.

        Returns the models for which anything was added, changed or dropped.
        """
        seen = {(owner(kind, body), body["metadata"]["name"], body["metadata"]["uid"]): body for body in bodies}
        touched = set()
        for key, objects in list(self._objects.items()):
            for ref, known in list(objects.items()):
                newer = int(known["metadata"]["resourceVersion"]) > listed_at
                if ref.kind is kind and not newer and (key, ref.name, known["metadata"]["uid"]) not in seen:
                    self._forget(key, ref)
                    touched.add(key)
        refreshed = {self._refresh(kind, body) for body in seen.values()}
        return touched | {key for key in refreshed if key is not None}

    def _refresh(self, kind: Kind, body: Body) -> Key | None:
        """Store an object that was listed, and return its model where that changed anything."""
        key = owner(kind, body)
        known = self.of(key).get(Ref(kind, body["metadata"]["name"])) if key else None
        if known is not None and known["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"]:
            return None
        return self.put(kind, body)


def owner(kind: Kind, body: Body) -> Key | None:
    """Return the model that an object is, or names in its spec, its owner references or its label; labels can be lost."""
    metadata = body["metadata"]
    name = metadata["name"] if kind is ML_MODEL else _named(kind, body)
    return Key(metadata["namespace"], name) if name else None


def _named(kind: Kind, body: Body) -> str | None:
    if kind in (MODEL_VERSION, MONITOR_REPORT):
        return str(body["spec"]["model"])
    metadata = body["metadata"]
    owners = [reference["name"] for reference in metadata.get("ownerReferences") or [] if reference["kind"] == ML_MODEL.name]
    return str(owners[0]) if owners else (metadata.get("labels") or {}).get(LABEL_MODEL)


def trim(kind: Kind, body: Body) -> Body:
    """Return a copy without the bookkeeping that nobody reads; of ``managedFields`` only what scaling needs to know is kept."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    if kind is DEPLOYMENT and _replicas_owned_elsewhere(body["metadata"].get("managedFields", [])):
        metadata[REPLICAS_OWNED_ELSEWHERE] = True
    return {"apiVersion": kind.api_version, "kind": kind.name} | body | {"metadata": metadata}


def _replicas_owned_elsewhere(managers: list[Body]) -> bool:
    return any("f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}) for entry in managers if entry.get("manager") != FIELD_MANAGER)


def _is_older(body: Body, known: Body) -> bool:
    """Compare resource versions, which grow with every write of an object (declared comparable since Kubernetes 1.35)."""
    same = body["metadata"]["uid"] == known["metadata"]["uid"]
    return same and int(body["metadata"]["resourceVersion"]) < int(known["metadata"]["resourceVersion"])
