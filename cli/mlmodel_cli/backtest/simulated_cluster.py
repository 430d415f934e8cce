"""The Kubernetes API of a backtest: objects in the operator's own cache, with the calls that ``act`` makes.

A watch without delay: what is written is in the cache at once. Not here: what controllers and kubelets do (``kubelet.py``).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from mlmodel_contract.base import format_time
from mlmodel_operator.cluster.cache import Body, Cache, Ref, ref_of
from mlmodel_operator.cluster.kinds import Kind
from mlmodel_operator.cluster.ownership import Key
from mlmodel_operator.errors import ConflictError


class SimulatedCluster:
    """One model's objects. It has the methods of the operator's ``Client``, which nothing else writes beside."""

    def __init__(self, key: Key, clock: Callable[[], datetime]) -> None:
        self.cache = Cache()
        self.writes = 0
        self._key = key
        self._clock = clock

    async def apply(self, body: Body, subresource: str | None = None) -> Body | None:
        """Merge what is desired into the object; a status replaces the one that is there."""
        known = self._objects.get(ref_of(body))
        if known is None:
            return None if subresource else self.put(body)
        if subresource:
            return self.put({**known, "status": body["status"]})
        return self.put({**known, **body, "metadata": {**known["metadata"], **body["metadata"]}})

    async def create(self, body: Body) -> Body | None:
        """Store a new object.

        Raises:
            ConflictError: one of its name exists.

        """
        if ref_of(body) in self._objects:
            raise ConflictError(f"{body['kind']} {body['metadata']['name']} exists", 409)
        return self.put(body)

    async def get(self, kind: Kind, _namespace: str, name: str) -> Body | None:
        """Return the object, None where there is none."""
        return self._objects.get(Ref(kind, name))

    async def delete(self, kind: Kind, _namespace: str, name: str, _uid: str) -> None:
        """Delete the object."""
        self.remove(Ref(kind, name))

    async def emit(self, event: Body) -> None:
        """Take an Event; the decision's own log has it too."""

    def put(self, body: Body) -> Body:
        """Store an object as whoever owns it would, and return it with its metadata."""
        self.writes += 1
        ref = ref_of(body)
        known = self._objects.get(ref)
        made: Body = {**body, "metadata": {**self._metadata(body, known), "resourceVersion": str(self.writes)}}
        self.cache.put(ref.kind, made)
        return made

    def remove(self, ref: Ref) -> None:
        """Delete an object, if it is there."""
        known = self._objects.get(ref)
        if known is not None:
            self.writes += 1
            self.cache.drop(ref.kind, known)

    def of_kind(self, kind: Kind) -> Iterator[Body]:
        """Return the objects of a kind, as they are now."""
        return iter([body for ref, body in self._objects.items() if ref.kind is kind])

    @property
    def _objects(self) -> Mapping[Ref, Body]:
        return self.cache.objects(self._key)

    def _metadata(self, body: Body, known: Body | None) -> Body:
        if known is None:
            created = {"uid": f"uid-{self.writes}", "creationTimestamp": format_time(self._clock()), "generation": 1}
            return {**created, "namespace": self._key.namespace, **body["metadata"]}
        generation = known["metadata"]["generation"] + (body.get("spec") != known.get("spec"))
        return {**known["metadata"], **body["metadata"], "generation": generation}
