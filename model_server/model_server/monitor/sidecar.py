"""The sidecar process: restore the counts, listen, and save, report and store in loops of their own until SIGTERM.

Not here: how any of these is done.
"""

import asyncio
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType

import httpx
import uvicorn
from mlmodel_contract.base import duration
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.environment import (
    ENV_POD,
    ENV_POD_NAME,
    PATH_BUNDLE,
    PATH_SPOOL,
    PATH_TERMINATION,
    PATH_TOKEN,
    PORT_METRICS_MONITOR,
    SOCKET_FEEDBACK,
    SOCKET_ROWS,
    SOCKET_SERVER,
)
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import MESSAGE_LIMIT, captured_folder, feedback_folder
from prometheus_client import start_http_server

from ..bundle.errors import BundleRefused
from ..bundle.read import read_reference
from ..runtime.kube_api import ApiError, InClusterApi
from ..runtime.paths import leave_message, resolve_path
from ..runtime.ports import port
from .batch_merging import RowBatch
from .capture import Archive, Destination, RowBuffer
from .feedback import create_app
from .label_delay import LabelDelay
from .label_files import LabelFileImporter
from .metrics import Reporting, Sources, registry
from .pod_counts import PodCounts, Subject
from .report_publisher import ReportPublisher
from .retention import delete_expired
from .row_receiver import RowReceiver
from .spool import Spool, SpoolError

_log = logging.getLogger(__name__)
_SAVE_SECONDS = 1.0
_FULL_SECONDS = 0.1  # between checks whether rows are enough for a file: the buffer holds what comes within, and is memory
_STORE_SECONDS = 12.0
_END_SECONDS = 15.0
_RETRY_SECONDS = 0.5
_SERVER_SECONDS = 60.0
_RETENTION_SECONDS = 3_600.0


def run_monitor() -> int:
    """Monitor the pod of ``$MLMODEL_POD`` until SIGTERM; return the exit code, 1 with the reason as termination message."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # pyarrow's own takes more at once than all files together need
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request
    document = PodDocument.model_validate_json(os.environ[ENV_POD])
    pod = os.environ.get(ENV_POD_NAME) or socket.gethostname()
    try:
        schema, profile = read_reference(resolve_path(PATH_BUNDLE), document.artifact.digest)
        spool = Spool(resolve_path(PATH_SPOOL))
        sidecar = Sidecar.open(document, pod, (schema, profile), spool)
    except (BundleRefused, SpoolError) as error:
        _log.error("not monitored: %s", error)
        leave_message(PATH_TERMINATION, str(error), MESSAGE_LIMIT)
        return 1
    asyncio.run(sidecar.run())
    spool.close()
    return 0


@dataclass(frozen=True)
class Sidecar:
    """The parts of the process.

    ``period`` is the time between checks whether to report, ``heartbeat`` the longest between reports, in seconds.
    """

    counts: PodCounts
    buffer: RowBuffer
    archive: Archive
    publisher: ReportPublisher
    label_files: LabelFileImporter
    retention: Callable[[], int]
    reporting: Reporting
    period: float
    heartbeat: float

    @classmethod
    def open(cls, document: PodDocument, pod: str, reference: tuple[BundleSchema, Profile], spool: Spool) -> "Sidecar":
        """Put the parts together.

        Raises:
            SpoolError: the spool cannot be read.

        """
        schema, profile = reference
        period, heartbeat = duration(document.report_every).total_seconds(), duration(document.heartbeat).total_seconds()
        label_delay = duration(document.label_delay).total_seconds()
        maturity = LabelDelay(duration(document.complete_after or document.label_delay).total_seconds(), heartbeat)
        counts = PodCounts(Subject(document.model, document.version, schema, profile, label_delay, maturity), spool)
        destination = Destination(captured_folder(document.store), document.store_credentials, document.version, pod)
        archive = Archive(destination, schema, spool, counts.add_captured)
        buffer = RowBuffer(schema, document.capture_fraction)
        publisher = ReportPublisher(document, pod, InClusterApi.from_environment(resolve_path(PATH_TOKEN)).client)
        reporting = Reporting()
        folders = captured_folder(document.store), feedback_folder(document.store)
        without_certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # they are megabytes, and none are needed within the pod
        transport = httpx.HTTPTransport(uds=str(resolve_path(SOCKET_SERVER)), verify=without_certificates)
        server = httpx.Client(transport=transport, base_url="http://server", timeout=_SERVER_SECONDS, trust_env=False)
        label_files = LabelFileImporter(folders[1], document.store_credentials, pod, schema, server, document.model)
        retention = partial(delete_expired, *folders, document.store_credentials, duration(document.capture_retention))
        sources = Sources(counts, buffer, archive, label_files, reporting)
        start_http_server(port(PORT_METRICS_MONITOR), registry=registry((document.namespace, document.model, document.version), sources))
        return cls(counts, buffer, archive, publisher, label_files, retention, reporting, period, heartbeat)

    async def run(self) -> None:
        """Receive, save and report until SIGTERM; then report a last time."""
        receiver = RowReceiver(resolve_path(SOCKET_ROWS), self._add_rows, self.counts.add_damaged_packet)
        receiver.start()
        config = uvicorn.Config(
            create_app(self.counts),
            uds=str(resolve_path(SOCKET_FEEDBACK)),
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        _log.info("monitoring, with a look every %g s and a report every %g s", self.period, self.heartbeat)
        loops = (self._save_loop, self._report_loop, self._store_loop, self._label_file_loop, self._retention_loop)
        tasks = [asyncio.create_task(loop(server)) for loop in loops]
        await asyncio.wait([*tasks, serving], return_when=asyncio.FIRST_COMPLETED)  # before SIGTERM, each ends only by a failure
        server.stopping.set()
        server.should_exit = True
        self.label_files.stop()
        failures = await asyncio.gather(*tasks, serving, return_exceptions=True)  # after which no label is acknowledged any more
        await asyncio.to_thread(receiver.stop)
        await self._finish()
        for failure in filter(None, failures):
            raise failure
        _log.info("ended")

    def _add_rows(self, rows: RowBatch) -> None:
        self.counts.add_rows(rows)
        self.buffer.add(rows)

    async def _save_loop(self, server: "_Server") -> None:
        while await server.runs_for(_SAVE_SECONDS):
            await _in_thread(self.counts.save)

    async def _report_loop(self, server: "_Server") -> None:
        while await server.runs_for(self.period * random.uniform(0.9, 1.1)):  # noqa: S311 (spreads the pods, guards no secret)
            if self._due() or await asyncio.to_thread(self.counts.should_report_early):
                await self._report()
            else:
                self.reporting.skipped += 1

    def _due(self) -> bool:
        """Return whether a report is due, whatever the counts: pods start at different times, so their reports are spread."""
        return self.reporting.retry or time.time() - self.reporting.last >= self.heartbeat - self.period / 2

    async def _store_loop(self, server: "_Server") -> None:
        """Full files are made at once, others once in a period, as what failed is tried again."""
        due = time.monotonic() + self.period
        while await server.runs_for(_FULL_SECONDS):
            if time.monotonic() >= due:
                due = time.monotonic() + self.period
                await self._store(everything=False)
            elif self.buffer.is_full() and not self.archive.pending:
                await _in_thread(lambda: self.archive.store_rows(self.buffer))

    async def _label_file_loop(self, server: "_Server") -> None:
        while await server.runs_for(self.period):
            await asyncio.to_thread(self.label_files.import_all)

    async def _retention_loop(self, server: "_Server") -> None:
        wait = self.period
        while await server.runs_for(wait):
            await asyncio.to_thread(self.retention)
            wait = _RETENTION_SECONDS

    async def _store(self, *, everything: bool) -> None:
        if everything or self.archive.pending or self.buffer.is_older_than(self.period):
            await _in_thread(lambda: self.archive.store_rows(self.buffer))
        await _in_thread(self.archive.store_labels)

    async def _report(self) -> None:
        """Make a report and apply it; a failure is logged, and the next report has everything again."""
        try:
            if self.counts.fresh:
                self.counts.resume(await self.publisher.read(), time.time())
            report = await asyncio.to_thread(self.counts.report, time.time())
            await self.publisher.apply(report)
        except (ApiError, SpoolError) as error:
            self.reporting.failed += 1
            self.reporting.retry = True
            _log.warning("not reported: %s", error)
        else:
            self.reporting.applied += 1
            self.reporting.last = time.time()
            self.reporting.retry = False

    async def _finish(self) -> None:
        """Store what is pending and report; a store that does not answer leaves time for the report."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._store_remaining()
                await self._report()
        except TimeoutError:
            _log.warning("the last report took too long")
        await _in_thread(self.counts.save)

    async def _store_remaining(self) -> None:
        """Store until nothing is pending: there may be more than a file that failed before, and the store may come back."""
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._store(everything=True)
                while await asyncio.to_thread(self.archive.has_pending, self.buffer):
                    await asyncio.sleep(_RETRY_SECONDS)
                    await self._store(everything=True)
        except (TimeoutError, SpoolError) as error:
            _log.warning("rows or labels are left that could not be stored: %s", error or "the store takes none in time")


class _Server(uvicorn.Server):
    """A server that leaves SIGTERM to the sidecar."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def runs_for(self, seconds: float) -> bool:
        """Wait; return False, at once, where the process is to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return not self.stopping.is_set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature is uvicorn's)
        """Let the sidecar end."""
        self._loop.call_soon_threadsafe(self.stopping.set)


async def _in_thread(work: Callable[[], None]) -> None:
    """Do blocking work; the spool's failures are logged, since the next period tries again."""
    try:
        await asyncio.to_thread(work)
    except SpoolError as error:
        _log.error("%s", error)
