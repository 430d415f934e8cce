"""/healthz, /readyz and /metrics over HTTP.

Not here: what is measured (``metrics.py``).
"""

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from . import metrics
from .cluster.cache import Cache
from .cluster.queue import WorkQueue

PORT = 8080
STUCK_SECONDS = 600.0
"""A model that was due for so long, or a resync that old, means that the operator does not work any more."""


@dataclass
class Health:
    """What the endpoints read; replicas that do not lead are healthy without working."""

    queue: WorkQueue
    cache: Cache
    leading: bool = False
    synced_at: float | None = None
    started_at: float = field(default_factory=time.monotonic)

    def synced(self) -> None:
        """Note that everything was listed."""
        self.synced_at = time.monotonic()

    def problem(self) -> str | None:
        """Return why this process should be started again; None while it works."""
        if not self.leading:
            return None
        if self.queue.oldest > STUCK_SECONDS:
            return f"a model has been due for {self.queue.oldest:.0f} s"
        age = time.monotonic() - (self.synced_at or self.started_at)
        return f"the last resync was {age:.0f} s ago" if age > STUCK_SECONDS + 300 else None

    def measure(self) -> None:
        """Set the gauges that are read, not counted."""
        metrics.QUEUE_DEPTH.set(len(self.queue))
        metrics.QUEUE_OLDEST_SECONDS.set(self.queue.oldest)
        metrics.CACHED_OBJECTS.set(len(self.cache))
        metrics.LEADER.set(self.leading)
        metrics.RESYNC_AGE_SECONDS.set(time.monotonic() - (self.synced_at or self.started_at))


async def serve(health: Health, port: int = PORT) -> None:
    """Serve the endpoints until cancelled."""

    async def healthz(_: web.Request) -> web.Response:
        problem = health.problem()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="leading" if health.leading else "standing by")

    async def metrics_page(_: web.Request) -> web.Response:
        health.measure()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics_page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
