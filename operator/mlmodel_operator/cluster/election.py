"""Leader election by a Lease: one replica decides, the others stand by.

Not here: what the leader does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kubernetes.aio import client as aio
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from ..config import Config

LEASE = "mlmodel-operator"
_DURATION, _RENEW, _RETRY = 15, 10, 2

logger = logging.getLogger(__name__)


class _Lock(LeaseLock):
    """The client's lock with its ``create`` mended: version 37 passes ``pretty=True``, which its own validation refuses."""

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        lease = aio.V1Lease(metadata=aio.V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        try:
            await self.api_instance.create_namespaced_lease(namespace, lease)
        except ApiException as error:
            logger.warning("cannot create the lease %s/%s: %s", namespace, name, error.reason)
            return False
        return True


async def lead(api: aio.ApiClient, config: Config, stop: asyncio.Event, work: Callable[[], Awaitable[None]]) -> int:
    """Wait for the lease, work while it is held, and give it back on a clean end.

    Returns:
        0 when ``stop`` was set, 1 when the lease was lost or the work ended by itself.
    """
    lock = _Lock(LEASE, config.own_namespace, config.identity, api)
    working: list[asyncio.Task[None]] = []

    async def started() -> None:
        working.append(asyncio.ensure_future(work()))
        await working[0]

    async def stopped() -> None:
        logger.error("lost the lease %s", LEASE)

    settings = electionconfig.Config(lock, _DURATION, _RENEW, _RETRY, started, stopped)
    elected = asyncio.create_task(leaderelection.LeaderElection(settings).run())
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            await asyncio.wait({elected, stopping, *working}, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            if elected.done() or any(task.done() for task in working):
                _log_failures(elected, *working)
                break
    finally:
        for task in (elected, stopping, *working):
            task.cancel()
        await asyncio.gather(elected, stopping, *working, return_exceptions=True)
    if not stop.is_set():
        return 1
    await _release(lock, config.identity)
    return 0


def _log_failures(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and task.exception():
            logger.error("the operator's work ended", exc_info=task.exception())


async def _release(lock: LeaseLock, identity: str) -> None:
    """Give the lease back: another replica takes one without a holder at once, and need not wait for it to run out."""
    held, record = await lock.get(lock.name, lock.namespace)
    lease = lock.lease_reference
    if not held or not isinstance(record, LeaderElectionRecord) or record.holder_identity != identity:
        return
    if lease is None or lease.spec is None:
        return
    lease.spec.holder_identity = None
    try:
        await lock.api_instance.replace_namespaced_lease(lock.name, lock.namespace, lease)
    except ApiException as error:
        logger.warning("cannot give the lease %s back: %s", LEASE, error.reason)
