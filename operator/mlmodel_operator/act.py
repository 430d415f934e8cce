"""Carries a decision out: nothing is written that is there already, and nothing on an outdated view.

Before any child the statuses are applied, the versions' and then the MLModel's, each to the very resource version that was read; a
conflict ends the reconcile, and the next one reads the newer object. A child that is refused stops no other; the status reports it.
Not here: deciding.
"""

import base64
import logging
import secrets
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from kubernetes.utils.quantity import parse_quantity
from mlmodel_contract.status import LoggedDecision, MLModelStatus

from .cluster.cache import Body, Cache, Ref, ref_of
from .cluster.client import Client
from .cluster.kinds import SECRET, SERVICE, kind_of
from .cluster.ownership import owner_of
from .config import Config
from .decide.conditions import known_refusal, with_refusal
from .decide.desired_state import DesiredState
from .errors import ConflictError, RefusedError
from .metrics import WRITES
from .resources import event, names, permissions
from .resources import version as version_builder
from .snapshot import Model, Snapshot

_AMOUNTS = ("requests", "limits")
_LONGEST_REFUSAL = 2000  # characters; a condition has room for them

logger = logging.getLogger(__name__)


async def act(decision: DesiredState, snapshot: Snapshot, client: Client, cache: Cache, config: Config) -> None:
    """Write what differs.

    Raises:
        ConflictError: the model has changed since it was read; reconcile again.
        RefusedError: all is done but for children that the API server refuses; the status reports them.
        ClusterError: the API refused a status or cannot be reached; try again later.
    """
    model = snapshot.model
    for name, status in decision.versions.items():
        await _apply(version_builder.version_status(snapshot, name, status), client, cache, "status")
    differing = [body for body in decision.apply if not _is_applied(snapshot, body)]
    writes = bool(decision.create or decision.delete or differing)
    known = known_refusal(model.status.conditions) if writes else ""  # a refusal stays reported until the object is accepted
    new_status = with_refusal(model, decision.status, known, decision.time)
    if new_status != model.status or writes:
        model = await _apply_status(model, new_status, client, cache)
    for entry in decision.log:
        logger.info("%s/%s: %s: %s", model.key.namespace, model.key.name, entry.decision, entry.message)
        await _emit_event(snapshot, entry, client, config)
    refused = await _write_children(decision, differing, snapshot, client, cache)
    if refused != known:
        await _apply_status(model, with_refusal(snapshot.model, decision.status, refused, decision.time), client, cache)
    if refused:
        raise RefusedError(refused)


async def _apply_status(model: Model, status: MLModelStatus, client: Client, cache: Cache) -> Model:
    """Apply the MLModel's status and return the model at its new resource version."""
    applied = await _apply(version_builder.model_status(model, status), client, cache, "status")
    return replace(model, resource_version=applied["metadata"]["resourceVersion"]) if applied else model


async def _write_children(decision: DesiredState, differing: list[Body], snapshot: Snapshot, client: Client, cache: Cache) -> str:
    """Write all children and return what the API server said of those that it refused."""
    refused: dict[Ref, str] = {}
    if decision.needs_prediction_key:
        await _collect_refusal(Ref(SECRET, names.prediction_key(snapshot.model)), _create_key(snapshot, client), refused)
    for body in differing:  # before what is created: a Job's pods need their ServiceAccount
        await _collect_refusal(ref_of(body), _apply_child(body, snapshot, client, cache), refused)
    for body in decision.create:
        await _collect_refusal(ref_of(body), _create(body, snapshot, client, cache), refused)
    if not any(ref.kind is SERVICE for ref in refused):  # it may still send to the pods that would go
        for ref in decision.delete:
            await _collect_refusal(ref, _delete(snapshot, ref, client), refused)
    return "; ".join(refused.values())[:_LONGEST_REFUSAL]


async def _collect_refusal(ref: Ref, write: Awaitable[None], refused: dict[Ref, str]) -> None:
    try:
        await write
    except RefusedError as error:
        refused[ref] = str(error)


async def _apply(body: Body, client: Client, cache: Cache, subresource: str | None = None) -> Body | None:
    applied = await client.apply(body, subresource)
    WRITES.labels("apply", body["kind"]).inc()
    if applied is not None:
        cache.put(kind_of(body), applied)
    return applied


async def _apply_child(body: Body, snapshot: Snapshot, client: Client, cache: Cache) -> None:
    """Apply a child. One that is not in the cache may exist all the same and be somebody else's: an apply would take it over."""
    ref = ref_of(body)
    if ref not in snapshot.objects:
        _require_ours(snapshot.model, ref, await client.get(ref.kind, snapshot.model.key.namespace, ref.name))
    await _apply(body, client, cache)


def _require_ours(model: Model, ref: Ref, found: Body | None) -> None:
    owner = owner_of(ref.kind, found) if found is not None else None
    if found is not None and not (owner is not None and owner.may_be_written(model.key, model.uid)):
        raise RefusedError(
            f"{ref.kind.name} {ref.name} is there already and is not of MLModel {model.key.name}: delete it, or give the model another name"
        )


async def _create(body: Body, snapshot: Snapshot, client: Client, cache: Cache) -> None:
    """Create an immutable object; one that exists already goes into the cache, which has missed it, with labels and owner corrected."""
    kind, metadata = kind_of(body), body["metadata"]
    try:
        made = await client.create(body)
        WRITES.labels("create", body["kind"]).inc()
    except ConflictError:
        made = await client.get(kind, metadata["namespace"], metadata["name"])
        _require_ours(snapshot.model, ref_of(body), made)
        if made is not None and not contains(made["metadata"], metadata):
            uid = made["metadata"]["uid"]
            await _apply(names.type_meta(kind) | {"metadata": metadata | {"uid": uid}}, client, cache)
            return
    if made is not None:
        cache.put(kind, made)


async def _create_key(snapshot: Snapshot, client: Client) -> None:
    """Create the model's prediction key, unless it is there; the operator cannot read it."""
    value = base64.b64encode(secrets.token_bytes(32)).decode()
    try:
        await client.create(permissions.prediction_key(snapshot.model, value))
    except ConflictError:
        return


async def _delete(snapshot: Snapshot, ref: Ref, client: Client) -> None:
    body = snapshot.objects[ref]
    if "deletionTimestamp" not in body["metadata"]:
        await client.delete(ref.kind, snapshot.model.key.namespace, ref.name, body["metadata"]["uid"])
        WRITES.labels("delete", ref.kind.name).inc()


async def _emit_event(snapshot: Snapshot, entry: LoggedDecision, client: Client, config: Config) -> None:
    await client.emit(event.build(snapshot.model, entry, config.identity))


def _is_applied(snapshot: Snapshot, body: Body) -> bool:
    """Return whether the cached object contains everything that is desired of it."""
    known = snapshot.objects.get(ref_of(body))
    return known is not None and contains(known, body)


def contains(known: Any, desired: Any) -> bool:
    """Return whether every field of the desired value is in the known one; lists have to be of the same length, item by item.

    The API drops what is empty, and writes amounts of resources in its own way.

    >>> contains({"a": 1, "b": [{"c": 2, "d": 3}]}, {"b": [{"c": 2}]})
    True
    """
    if desired in ({}, []) and known is None:
        return True
    if isinstance(desired, dict):
        return isinstance(known, dict) and all(
            (_same_amounts if name in _AMOUNTS else contains)(known.get(name), value) for name, value in desired.items()
        )
    if isinstance(desired, list):
        return isinstance(known, list) and len(known) == len(desired) and all(map(contains, known, desired))
    return bool(known == desired)


def _same_amounts(known: Any, desired: dict[str, str]) -> bool:
    found = known or {}
    return all(name in found and parse_quantity(found[name]) == parse_quantity(value) for name, value in desired.items())
