"""The cluster's objects as they were last observed: trimmed copies, by the MLModel that they belong to.

An older copy never replaces a newer one, so that an answer to our own write is not undone by a late watch event.
Not here: requests to the API.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .kinds import DEPLOYMENT, FIELD_MANAGER, Kind, kind_of
from .ownership import Key, owner_of

Body = dict[str, Any]
_EMPTY: Mapping["Ref", Body] = MappingProxyType({})

REPLICAS_OWNED_ELSEWHERE = "replicasOwnedElsewhere"
"""Added to the metadata of a cached Deployment whose replicas somebody else has set, an autoscaler or a person."""


class Ref(NamedTuple):
    """An object of a model's namespace."""

    kind: Kind
    name: str


def ref_of(body: Body) -> Ref:
    """Return the kind and the name of a manifest."""
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

    def objects(self, key: Key) -> Mapping[Ref, Body]:
        """Return all objects of a model, the MLModel itself included."""
        return self._objects.get(key, _EMPTY)

    def put(self, kind: Kind, body: Body) -> Key | None:
        """Store an object and return the model it belongs to; None where it belongs to none."""
        key = _key(kind, body)
        if key is None:
            return None
        ref = Ref(kind, body["metadata"]["name"])
        known = self._objects[key].get(ref)
        if known is None or not _is_older(body, known):
            self._objects[key][ref] = trim(kind, body)
        return key

    def drop(self, kind: Kind, body: Body) -> Key | None:
        """Forget an object, unless another one of its name has come since, and return the model it belonged to."""
        key = _key(kind, body)
        if key is None:
            return None
        ref = Ref(kind, body["metadata"]["name"])
        known = self.objects(key).get(ref)
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            self._forget(key, ref)
        return key

    def _forget(self, key: Key, ref: Ref) -> None:
        del self._objects[key][ref]
        if not self._objects[key]:
            del self._objects[key]

    def replace(self, kind: Kind, bodies: Iterable[Body], listed_at: int) -> set[Key]:
        """Store a list of all objects of a kind, made at a resource version, and drop what it lacks; what is newer than the list stays.

        Returns the models for which anything was added, changed or dropped.
        """
        listed = {(_key(kind, body), body["metadata"]["name"], body["metadata"]["uid"]): body for body in bodies}
        changed = set()
        for key, objects in list(self._objects.items()):
            for ref, known in list(objects.items()):
                newer = int(known["metadata"]["resourceVersion"]) > listed_at
                if ref.kind is kind and not newer and (key, ref.name, known["metadata"]["uid"]) not in listed:
                    self._forget(key, ref)
                    changed.add(key)
        refreshed = {self._refresh(kind, body) for body in listed.values()}
        return changed | {key for key in refreshed if key is not None}

    def _refresh(self, kind: Kind, body: Body) -> Key | None:
        """Store an object that was listed, and return its model where that changed anything."""
        key = _key(kind, body)
        known = self.objects(key).get(Ref(kind, body["metadata"]["name"])) if key else None
        if known is not None and known["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"]:
            return None
        return self.put(kind, body)


def _key(kind: Kind, body: Body) -> Key | None:
    owner = owner_of(kind, body)
    return owner.key if owner else None


def trim(kind: Kind, body: Body) -> Body:
    """Return a copy without the bookkeeping that nobody reads; of ``managedFields`` only who owns the replicas is left."""
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
