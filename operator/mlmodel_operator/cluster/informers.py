"""Kopf as the source of watch events: each is stored in the cache and puts its model on the queue.

Only the low-level ``on.event`` is used, which writes nothing to the objects. What a watch misses, ``resync`` finds.
Not here: reconciling.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import kopf
from mlmodel_contract.environment import GROUP, LABEL_MANAGED_BY, MANAGER

from .cache import Cache
from .client import Client
from .kinds import WATCHED, Kind
from .queue import WorkQueue

RESYNC_SECONDS = 300.0

logger = logging.getLogger(__name__)


class _EndlessBackoffs:
    """Pauses before an API request of kopf's is tried again, without end: an operator outlives its API server's absence."""

    def __iter__(self) -> "Any":
        pause = 0.5
        while True:
            yield pause
            pause = min(5.0, pause * 2)


def settings() -> kopf.OperatorSettings:
    """Return settings under which kopf only watches."""
    made = kopf.OperatorSettings()
    made.scanning.disabled = True
    made.posting.enabled = False
    made.peering.standalone = True
    made.networking.error_backoffs = _EndlessBackoffs()
    for kind in WATCHED:
        chosen = selector(kind)
        if chosen is not None:
            made.watching.label_selectors[kind.group, kind.version, kind.plural] = chosen
    return made


def selector(kind: Kind) -> str | None:
    """Return the label selector that objects of a kind are watched by; all of our own kinds are, whatever their labels."""
    return None if kind.group == GROUP else f"{LABEL_MANAGED_BY}={MANAGER}"


def registry(cache: Cache, queue: WorkQueue) -> kopf.OperatorRegistry:
    """Return kopf handlers that store each object and put its model on the queue."""
    made = kopf.OperatorRegistry()
    kopf.on.login(registry=made)(_login)
    for kind in WATCHED:
        _watch(made, kind, cache, queue)
    return made


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """Use the pod's service account, else the kubeconfig; kopf asks again when the API server no longer takes the token."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def _watch(made: kopf.OperatorRegistry, kind: Kind, cache: Cache, queue: WorkQueue) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=made, id=kind.plural)
    async def on_event(event: Any, **_: Any) -> None:
        body = dict(event["object"])
        key = cache.drop(kind, body) if event["type"] == "DELETED" else cache.put(kind, body)
        if key is not None:
            queue.add(key)


async def resync(client: Client, cache: Cache, queue: WorkQueue, namespace: str | None) -> None:
    """List everything once, make the cache hold exactly that, and put each model that changed on the queue."""
    for kind in WATCHED:
        bodies, listed_at = await client.list_all(kind, namespace, selector(kind))
        for key in cache.replace(kind, bodies, listed_at):
            queue.add(key)


async def resync_periodically(client: Client, cache: Cache, queue: WorkQueue, namespace: str | None, synced: Callable[[], None]) -> None:
    """Resync at a jittered interval: an event that was lost is made up for after minutes."""
    while True:
        await asyncio.sleep(RESYNC_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 (jitter, not a secret)
        try:
            await resync(client, cache, queue, namespace)
            synced()
        except Exception:  # the next one will do; the age of the last good one is a metric
            logger.exception("resync failed; the next one follows")
