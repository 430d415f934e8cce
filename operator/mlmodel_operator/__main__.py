"""``mlmodel-operator``: waits for the lease, fills the cache, then watches and works until the lease is lost or it is terminated.

Not here: anything that can be said without a process.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator

import kopf
from kubernetes.aio import client as aio
from kubernetes.aio import config as aio_config
from kubernetes.aio.config.config_exception import ConfigException

from .cluster import election, informers
from .cluster.cache import Cache
from .cluster.client import Client
from .cluster.queue import WorkQueue, work
from .config import Config
from .errors import OperatorError
from .health import PORT, Health, serve
from .reconcile import Reconciler

WORKERS = 16

logger = logging.getLogger("mlmodel_operator")


def main() -> None:
    """Run the operator; exit code 2 for settings that cannot be, 1 where the lease was lost."""
    try:
        config = Config.from_environment()
    except ValueError as error:
        sys.exit(f"mlmodel-operator: {error}")
    logging.basicConfig(level=config.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    sys.exit(asyncio.run(run(config)))


async def run(config: Config) -> int:
    """Run until SIGTERM (0) or until the lease is lost (1)."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cache, queue = Cache(), WorkQueue()
    health = Health(queue, cache)
    async with _api() as api, asyncio.TaskGroup() as group:
        background = group.create_task(serve(health, int(os.environ.get("MLMODEL_HEALTH_PORT", PORT))))
        try:
            reconciler = Reconciler(Client(api), cache, config)
            return await election.lead(api, config, stop, lambda: _run_controller(reconciler, queue, health, stop))
        finally:
            background.cancel()


async def _run_controller(reconciler: Reconciler, queue: WorkQueue, health: Health, stop: asyncio.Event) -> None:
    """Fill the cache, then watch and reconcile until cancelled."""
    client, cache, config = reconciler.client, reconciler.cache, reconciler.config
    health.leading = True
    logger.info("leading as %s; watching %s", config.identity, config.namespace or "all namespaces")
    await _first_sync(client, cache, queue, config)
    health.synced()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(cache, queue, config, stop))
        group.create_task(informers.resync_periodically(client, cache, queue, config.namespace, health.synced))
        for _ in range(WORKERS):
            group.create_task(work(queue, reconciler, reconciler.record_failure))


async def _first_sync(client: Client, cache: Cache, queue: WorkQueue, config: Config) -> None:
    """List everything before the first decision; without a whole view nothing may be decided."""
    while True:
        try:
            return await informers.resync(client, cache, queue, config.namespace)
        except OperatorError as error:
            logger.warning("cannot list yet, trying again: %s", error)
            await asyncio.sleep(3)


async def _watch(cache: Cache, queue: WorkQueue, config: Config, stop: asyncio.Event) -> None:
    """Run kopf's watches; when kopf gives up on an unexpected answer, start them again.

    Kopf takes over the process's signals: its normal end means that the process was terminated.
    """
    while not stop.is_set():
        try:
            await kopf.operator(
                registry=informers.registry(cache, queue),
                settings=informers.settings(),
                standalone=True,
                clusterwide=config.namespace is None,
                namespaces=[config.namespace] if config.namespace else [],
                stop_flag=stop,
            )
            stop.set()
        except Exception:  # whatever made the watches end, an operator without them is of no use
            logger.exception("the watches ended; starting them again")
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def _api() -> AsyncIterator[aio.ApiClient]:
    try:
        aio_config.load_incluster_config()
    except ConfigException:
        await aio_config.load_kube_config()
    async with aio.ApiClient() as api:
        yield api


if __name__ == "__main__":
    main()
