"""Reconciles one model: gather, decide, act.

Not here: any of the three.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from . import metrics
from .act import act
from .cluster.cache import Body, Cache
from .cluster.client import Client
from .cluster.ownership import Key
from .config import Config
from .decide import decide
from .decide.conditions import unreadable_spec
from .decide.desired_state import DesiredState
from .errors import ClusterError, ConflictError, RefusedError
from .snapshot import UnreadableModelError, gather

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reconciler:
    """Reconciles models."""

    client: Client
    cache: Cache
    config: Config

    async def __call__(self, key: Key) -> float | None:
        """Reconcile a model and return the seconds after which to reconcile it again, if any."""
        with metrics.RECONCILE_SECONDS.time():
            try:
                snapshot = gather(self.cache, key)
            except UnreadableModelError as error:
                await self._report_unreadable(error)
                return None
            if snapshot is None:
                metrics.remove_model_metrics(key)
                return None
            decision = decide(snapshot, self.config, datetime.now(UTC))
            try:
                await act(decision, snapshot, self.client, self.cache, self.config)
            except RefusedError:  # the rest is done
                _record_metrics(key, decision)
                raise
        _record_metrics(key, decision)
        metrics.RECONCILES.labels("done").inc()
        return decision.requeue_after

    async def _report_unreadable(self, error: UnreadableModelError) -> None:
        """Say in the status what is wrong with a spec that the API server let pass, and leave everything else as it is."""
        body = _unreadable_status(error.body, str(error), datetime.now(UTC))
        if body is not None:
            await self.client.apply(body, "status")
        logger.error("%s/%s: %s", error.body["metadata"]["namespace"], error.body["metadata"]["name"], error)

    def record_failure(self, key: Key, error: Exception) -> None:
        """Log and count a failed reconcile; the queue tries again."""
        if isinstance(error, ConflictError):
            metrics.RECONCILES.labels("conflict").inc()
            logger.debug("%s/%s: outdated view, looking again: %s", key.namespace, key.name, error)
        elif isinstance(error, ClusterError):
            metrics.RECONCILES.labels("refused").inc()
            logger.warning("%s/%s: %s", key.namespace, key.name, error)
        else:
            metrics.RECONCILES.labels("error").inc()
            logger.error("%s/%s: unexpected error, trying again", key.namespace, key.name, exc_info=error)


def _record_metrics(key: Key, decision: DesiredState) -> None:
    metrics.set_model_metrics(key, decision.status)
    for entry in decision.log:
        metrics.DECISIONS.labels(*key, entry.decision).inc()
    for reason, number in decision.refused_reports.items():
        metrics.REPORTS_REFUSED.labels(*key, reason).inc(number)


def _unreadable_status(body: Body, reason: str, now: datetime) -> Body | None:
    """Return the apply body that adds what is wrong to a status that is otherwise left as it is; None where it says so already."""
    metadata = body["metadata"]
    before = body.get("status") or {}
    known = before.get("conditions") or []
    if any(condition["type"] == "Ready" and condition["message"] == reason for condition in known):
        return None
    others = [condition for condition in known if condition["type"] != "Ready"]
    ready = unreadable_spec(reason, metadata.get("generation", 0), now)
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")},
        "status": before | {"conditions": [*others, ready.wire()]},
    }
