"""Carries a decision out: nothing is written that is there already, and nothing is written on an outdated view.

Before anything else the MLModel's status is applied to the very resource version that was looked at; a conflict ends the turn, and the next
one sees the newer object. Not here: deciding.
"""

import base64
import logging
import secrets
from typing import Any

from mlmodel_contract.status import LoggedDecision

from .cluster.cache import Body, Cache, Ref
from .cluster.client import Client
from .cluster.kinds import kind_of
from .config import Config
from .decide.outcome import Decision
from .errors import ConflictError
from .metrics import WRITES
from .resources import access, event, names
from .resources import version as version_builder
from .snapshot import Snapshot

logger = logging.getLogger(__name__)


async def act(decision: Decision, snapshot: Snapshot, client: Client, cache: Cache, config: Config) -> None:
    """Write what differs.

    Raises:
        ConflictError: the model has changed since it was looked at; look again.
        ClusterError: the API refused something or cannot be reached; try again later.
    """
    model = snapshot.model
    for name, status in decision.versions.items():
        await _apply(version_builder.version_status(snapshot, name, status), client, cache, "status")
    differing = [body for body in decision.apply if not _in_place(snapshot, body)]
    if decision.status != model.status or decision.create or decision.delete or differing:
        await _apply(version_builder.model_status(model, decision.status), client, cache, "status")
    for entry in decision.log:
        logger.info("%s/%s: %s: %s", model.key.namespace, model.key.name, entry.decision, entry.message)
        await _tell(snapshot, entry, client, config)
    if decision.needs_prediction_key:
        await _create_key(snapshot, client)
    for body in differing:  # before what is created: a Job's pods need their ServiceAccount
        await _apply(body, client, cache)
    for body in decision.create:
        await _create(body, client, cache)
    for ref in decision.delete:
        await _delete(snapshot, ref, client)


async def _apply(body: Body, client: Client, cache: Cache, subresource: str | None = None) -> None:
    applied = await client.apply(body, subresource)
    WRITES.labels("apply", body["kind"]).inc()
    if applied is not None:
        cache.put(kind_of(body), applied)


async def _create(body: Body, client: Client, cache: Cache) -> None:
    """Create a fact; where it exists already, take it into the cache, which has missed it, with its labels and owner put right."""
    kind, metadata = kind_of(body), body["metadata"]
    try:
        made = await client.create(body)
        WRITES.labels("create", body["kind"]).inc()
    except ConflictError:
        made = await client.get(kind, metadata["namespace"], metadata["name"])
        if made is not None and not contains(made["metadata"], metadata):
            uid = made["metadata"]["uid"]
            return await _apply(names.head(kind) | {"metadata": metadata | {"uid": uid}}, client, cache)
    if made is not None:
        cache.put(kind, made)
    return None


async def _create_key(snapshot: Snapshot, client: Client) -> None:
    """Create the model's prediction key, unless it is there; the operator cannot read it."""
    value = base64.b64encode(secrets.token_bytes(32)).decode()
    try:
        await client.create(access.prediction_key(snapshot.model, value))
    except ConflictError:
        return


async def _delete(snapshot: Snapshot, ref: Ref, client: Client) -> None:
    body = snapshot.objects[ref]
    if "deletionTimestamp" not in body["metadata"]:
        await client.delete(ref.kind, snapshot.model.key.namespace, ref.name, body["metadata"]["uid"])
        WRITES.labels("delete", ref.kind.name).inc()


async def _tell(snapshot: Snapshot, entry: LoggedDecision, client: Client, config: Config) -> None:
    await client.emit(event.build(snapshot.model, entry, config.identity))


def _in_place(snapshot: Snapshot, body: Body) -> bool:
    """Tell whether the cached object contains everything that is desired of it."""
    known = snapshot.objects.get(Ref(kind_of(body), body["metadata"]["name"]))
    return known is not None and contains(known, body)


def contains(known: Any, desired: Any) -> bool:
    """Tell whether every field of the desired value is in the known one; lists have to be of the same length, item by item.

    >>> contains({"a": 1, "b": [{"c": 2, "d": 3}]}, {"b": [{"c": 2}]})
    True
    """
    if isinstance(desired, dict):
        return isinstance(known, dict) and all(name in known and contains(known[name], value) for name, value in desired.items())
    if isinstance(desired, list):
        return isinstance(known, list) and len(known) == len(desired) and all(map(contains, known, desired))
    return bool(known == desired)
