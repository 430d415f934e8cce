"""An API server in memory: it has the methods of ``cluster.client.Client``, on objects that are plain dicts.

Server-side apply, preconditions, resource versions, generations, watch events and garbage collection behave like the real ones.
Every write is counted and can be made to fail or to kill the operator. Not here: controllers and kubelets (``fake_controllers.py``).
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from mlmodel_contract.base import format_time
from mlmodel_contract.environment import LABEL_MANAGED_BY, MANAGER
from mlmodel_operator.cluster.cache import Cache, Ref, ref_of
from mlmodel_operator.cluster.informers import selector
from mlmodel_operator.cluster.kinds import DEPLOYMENT, ROLE_BINDING, WATCHED, Kind
from mlmodel_operator.errors import ConflictError, RefusedError

from tests.operator.support.manifests import NAMESPACE, Body

Hook = Callable[[str], None]
Json = TypeVar("Json")


class InMemoryApi:
    """All objects of one namespace."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._version = 100
        self._applied: dict[tuple[Ref, str | None], Body] = {}
        self.objects: dict[Ref, Body] = {}
        self.pending: dict[Kind, deque[tuple[str, Body]]] = {kind: deque() for kind in WATCHED}
        self.events: list[Body] = []  # Events
        self.writes: Counter[str] = Counter()  # "apply Deployment late-v1" and so on; what the operator asked for
        self.before: Hook = lambda _: None
        self.after: Hook = lambda _: None

    # The operator's side: the methods of Client.

    async def apply(self, body: Body, subresource: str | None = None) -> Body | None:
        ref = ref_of(body)
        with_status = f"/{subresource}" if subresource else ""
        return self._write(f"apply {ref.kind.name}{with_status} {ref.name}", lambda: self._apply(ref, body, subresource))

    async def create(self, body: Body) -> Body | None:
        ref = ref_of(body)
        return self._write(f"create {ref.kind.name} {ref.name}", lambda: self._create(ref, body))

    async def get(self, kind: Kind, _namespace: str, name: str) -> Body | None:
        return copied(self.objects.get(Ref(kind, name)))

    async def delete(self, kind: Kind, _namespace: str, name: str, uid: str) -> None:
        self._write(f"delete {kind.name} {name}", lambda: self._delete(Ref(kind, name), uid))

    async def emit(self, event: Body) -> None:
        self._write(f"emit {event['reason']}", lambda: self._emit(event))

    async def list_all(self, kind: Kind, _namespace: str | None, chosen: str | None = None) -> tuple[list[Body], int]:
        found = [body for ref, body in self.objects.items() if ref.kind is kind and (chosen is None or _selected(body))]
        return copied(found), self._version

    def _write(self, what: str, do: Callable[[], Body | None]) -> Body | None:
        self.before(what)
        result = do()
        self.writes[what] += 1
        self.after(what)
        return copied(result)

    # Everybody's side.

    def put(self, body: Body) -> Body:
        """Store an object as a user or a controller would, whatever is there."""
        ref = ref_of(body)
        return self._create(ref, body) if ref not in self.objects else self._replace(ref, body)

    def change(self, kind: Kind, name: str, change: Callable[[Body], None]) -> Body:
        """Change an object as a user or a controller would."""
        made = copied(self.objects[Ref(kind, name)])
        change(made)
        return self._replace(Ref(kind, name), made)

    def remove(self, kind: Kind, name: str) -> None:
        """Delete an object."""
        self._delete(Ref(kind, name), None)

    def all(self, kind: Kind) -> Iterator[Body]:
        """Objects of a kind."""
        return iter([body for ref, body in self.objects.items() if ref.kind is kind])

    def names(self, kind: Kind) -> list[str]:
        """Names of the objects of a kind, sorted."""
        return sorted(ref.name for ref in self.objects if ref.kind is kind)

    def collect_garbage(self) -> None:
        """Delete what nobody owns any more."""
        while orphans := [ref for ref, body in self.objects.items() if self._is_orphan(body)]:
            for ref in orphans:
                self._delete(ref, None)

    def deliver(self, cache: Cache, kind: Kind, most: int | None = None) -> int:
        """Hand the oldest watch events of a kind to the cache, at most so many, and return how many they were."""
        waiting = self.pending[kind]
        number = len(waiting) if most is None else min(most, len(waiting))
        for _ in range(number):
            event, body = waiting.popleft()
            _ = cache.drop(kind, body) if event == "DELETED" else cache.put(kind, body)
        return number

    def _apply(self, ref: Ref, body: Body, subresource: str | None) -> Body | None:
        known = self.objects.get(ref)
        if known is None and subresource:
            return None
        wanted = _intent(body, subresource)
        if known is None:
            made = self._create(ref, body)
        else:
            _check(known, body["metadata"])
            if ref.kind is ROLE_BINDING and body["roleRef"] != known["roleRef"]:
                raise RefusedError(f"RoleBinding {ref.name} is invalid: roleRef: Invalid value: cannot change roleRef", 422)
            before = self._applied.get((ref, subresource), {})
            made = self._replace(ref, _merged(_without(known, before, wanted), wanted))
        self._applied[ref, subresource] = copied(wanted)
        return made

    def _create(self, ref: Ref, body: Body) -> Body:
        if ref in self.objects:
            raise ConflictError(f"{ref.kind.name} {ref.name} exists", 409)
        if "spec" not in body and ref.kind.name in ("Job", "ModelVersion"):
            raise RefusedError("spec: Required value", 422)
        made = copied(body)
        created = format_time(self._clock())
        made["metadata"] |= {"namespace": NAMESPACE, "uid": f"uid-{self._version}", "creationTimestamp": created, "generation": 1}
        return self._store(ref, made, "ADDED")

    def _replace(self, ref: Ref, body: Body) -> Body:
        known = self.objects[ref]
        body = {**body, "metadata": {**known["metadata"], **body["metadata"]}}
        if body == known:
            return known
        if body.get("spec") != known.get("spec"):
            body["metadata"]["generation"] = known["metadata"]["generation"] + 1
        if _watched(ref.kind, known) and not _watched(ref.kind, body):
            return self._store(ref, body, "DELETED", last=known)
        return self._store(ref, body, "MODIFIED")

    def _store(self, ref: Ref, body: Body, event: str, last: Body | None = None) -> Body:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[ref] = body
        self._notify(ref, event, last or body)
        return body

    def _delete(self, ref: Ref, uid: str | None) -> None:
        known = self.objects.get(ref)
        if known is None:
            return
        if uid is not None and known["metadata"]["uid"] != uid:
            raise ConflictError(f"{ref.kind.name} {ref.name} is another one now", 409)
        del self.objects[ref]
        for part in (None, "status"):
            self._applied.pop((ref, part), None)
        self._version += 1
        last = copied(known)
        last["metadata"]["resourceVersion"] = str(self._version)
        self._notify(ref, "DELETED", last)

    def _notify(self, ref: Ref, event: str, body: Body) -> None:
        if ref.kind in self.pending and (event == "DELETED" or _watched(ref.kind, body)):
            self.pending[ref.kind].append((event, copied(body)))

    def _emit(self, event: Body) -> None:
        self.events.append(event)

    def _is_orphan(self, body: Body) -> bool:
        owners = body["metadata"].get("ownerReferences", [])
        uids = {known["metadata"]["uid"] for known in self.objects.values()}
        return bool(owners) and not any(owner["uid"] in uids for owner in owners)


def copied(value: Json) -> Json:
    """Copy as the API does, through JSON: no two parts of the copy are the same object."""
    made: Json = json.loads(json.dumps(value))
    return made


def _selected(body: Body) -> bool:
    return bool(body["metadata"].get("labels", {}).get(LABEL_MANAGED_BY) == MANAGER)


def _watched(kind: Kind, body: Body) -> bool:
    return selector(kind) is None or _selected(body)


def _intent(body: Body, subresource: str | None) -> Body:
    """Return the part of an apply that changes anything."""
    if subresource:
        return {"status": body["status"]}
    metadata = {name: value for name, value in body["metadata"].items() if name in ("labels", "ownerReferences")}
    return {name: value for name, value in body.items() if name != "metadata"} | {"metadata": metadata}


def _check(known: Body, metadata: Body) -> None:
    """Hold the preconditions of an apply."""
    for name in ("uid", "resourceVersion"):
        if metadata.get(name, known["metadata"][name]) != known["metadata"][name]:
            raise ConflictError(f"{name} differs", 409)


def _merged(known: Any, wanted: Any) -> Any:
    """Put what is wanted over what is there; a list is one value."""
    if not isinstance(known, dict) or not isinstance(wanted, dict):
        return copied(wanted)
    return {**known, **{name: _merged(known.get(name), value) for name, value in wanted.items()}}


def _without(known: Any, before: Any, wanted: Any) -> Any:
    """Take away what was applied before and is applied no more."""
    if not all(isinstance(value, dict) for value in (known, before, wanted)):
        return known
    left = {name: value for name, value in known.items() if name not in before or name in wanted}
    return {name: _without(value, before.get(name), wanted.get(name)) for name, value in left.items()}


def replicas_owned_elsewhere(api: InMemoryApi, name: str, replicas: int) -> None:
    """Set a Deployment's replicas as an autoscaler does, which thereby owns the field."""

    def scale(body: Body) -> None:
        body["spec"]["replicas"] = replicas
        body["metadata"]["managedFields"] = [{"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]

    api.change(DEPLOYMENT, name, scale)
