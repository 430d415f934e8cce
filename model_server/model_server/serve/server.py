"""The server process: load, warm up, listen, drain.

Not here: how any of these is done.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import uvloop
from mlmodel_contract.base import duration
from mlmodel_contract.environment import (
    PATH_BUNDLE,
    PATH_PREDICTION_KEY,
    PATH_TERMINATION,
    PORT_GRPC,
    PORT_METRICS_SERVER,
    PORT_REST,
    SOCKET_FEEDBACK,
    SOCKET_ROWS,
)
from mlmodel_contract.manifest import ServerSettings
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import MESSAGE_LIMIT
from prometheus_client import start_http_server

from ..bundle.errors import BundleRefused
from ..bundle.read import open_bundle
from ..prediction_id.ids import IdError, Signer, read_key
from ..runtime.paths import leave_message, resolve_path
from ..runtime.ports import port
from ..runtime.workers import WorkerChannel
from .access.access_control import AccessControl, build_access_control
from .admission import Admission
from .compute_pool import ComputePool
from .errors import StartRefused
from .http.server import HttpServer
from .in_flight import InFlightRequests
from .inference.batcher import Batcher
from .inference.data_plane import DataPlane, PredictedBatch
from .label_forwarder import LabelForwarder
from .labels import FeedbackPlane
from .limits import ServerLimits
from .row_sender import RowSender
from .served_model import ServedModel
from .services import ServerServices
from .telemetry.metrics import ServerMetrics
from .telemetry.trace_context import Traces

if TYPE_CHECKING:
    from .grpc.server import RpcServer
    from .telemetry.spans import SpanRecorder

_log = logging.getLogger(__name__)
_HOUSEKEEPING_SECONDS = 1.0
_FLUSH_SECONDS = 1.0
_OBJECTS_UNTIL_COLLECTION = 20_000


def run_server(document: PodDocument, channel: WorkerChannel | None = None) -> int:
    """Serve the pod's bundle until SIGTERM; return the exit code, 1 with the reason as termination message.

    Args:
        document: what the pod is to serve.
        channel: where this process is one of several workers, its connection to the parent.

    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request
    try:
        limits = ServerLimits.from_settings(document.serving or ServerSettings())
        plane, key = prepare(document, limits)
        uvloop.run(_serve(document, limits, plane, key, channel))
    except (BundleRefused, StartRefused, IdError) as error:
        _log.error("not served: %s", error)
        leave_message(PATH_TERMINATION, str(error), MESSAGE_LIMIT)
        return 1
    return 0


def prepare(document: PodDocument, limits: ServerLimits) -> tuple[DataPlane, bytes]:
    """Open the bundle and warm up; return the data plane and the key of prediction ids.

    Raises:
        BundleRefused: the bundle is not the declared one, or must not be loaded.
        StartRefused: its golden rows are not predicted as they must be.
        IdError: there is no usable key.

    """
    key = read_key(resolve_path(PATH_PREDICTION_KEY))
    bundle = open_bundle(resolve_path(PATH_BUNDLE), document.artifact.digest)
    estimator = bundle.manifest.estimator.value if bundle.manifest.estimator else "unknown"
    model = ServedModel(document.model, document.version, bundle.schema, bundle.predictor, estimator, bundle.golden.tolerance)
    plane = DataPlane(model, Signer(key, document.version), limits.rows)
    plane.warm_up(bundle.golden)
    return plane, key


async def _serve(document: PodDocument, limits: ServerLimits, plane: DataPlane, key: bytes, channel: WorkerChannel | None) -> None:
    metrics = _metrics(document, plane.model)
    access = await build_access_control(document, metrics)
    row_sender = RowSender(resolve_path(SOCKET_ROWS), metrics.dropped)
    recorder = _recorder(document, plane.model, metrics)
    async with aclosing(LabelForwarder(resolve_path(SOCKET_FEEDBACK))) as forwarder:
        feedback = FeedbackPlane(plane.model.schema, key, duration(document.label_delay).total_seconds())
        pool = ComputePool(limits)
        services = ServerServices(
            limits=limits,
            plane=plane,
            pool=pool,
            batcher=Batcher(plane, limits, pool, _on_predicted(row_sender, metrics), metrics),
            admission=Admission(limits),
            feedback=feedback,
            forwarder=forwarder,
            in_flight=_in_flight(metrics),
            metrics=metrics,
            traces=Traces(recorder),
            authentication=document.authentication,
            channel=channel,
        )
        drain_seconds = duration(document.drain).total_seconds()
        http, rpc = await _start_listeners(services, access, drain_seconds)
        async with _housekeeping(services, http, access, row_sender):
            _calm_garbage_collector()
            _announce(services)
            await http.serve()
            await rpc.end()
        row_sender.send_heartbeat()
        await row_sender.flush(_FLUSH_SECONDS)
    if recorder:
        recorder.end()
    _log.info("ended")


def _metrics(document: PodDocument, model: ServedModel) -> ServerMetrics:
    metrics = ServerMetrics(document.namespace, model.name, model.version)
    metrics.describe(model.predictor.engine, model.estimator)
    return metrics


def _recorder(document: PodDocument, model: ServedModel, metrics: ServerMetrics) -> "SpanRecorder | None":
    if document.tracing is None:
        return None
    from .telemetry.spans import SpanRecorder  # OpenTelemetry costs time and memory only where it is asked for

    return SpanRecorder(document.tracing, document.namespace, model, metrics.spans)


def _on_predicted(row_sender: RowSender, metrics: ServerMetrics) -> Callable[[PredictedBatch], None]:
    """Return what is called with each predicted batch."""

    def on_predicted(predicted: PredictedBatch) -> None:
        row_sender.send(predicted)
        metrics.predicted(len(predicted.ids), predicted.outside)

    return on_predicted


def _in_flight(metrics: ServerMetrics) -> InFlightRequests:
    in_flight = InFlightRequests()
    metrics.watch(lambda: in_flight.count)
    return in_flight


async def _start_listeners(services: ServerServices, access: AccessControl, drain_seconds: float) -> "tuple[HttpServer, RpcServer]":
    if services.channel is None:  # else the parent publishes the metrics of all workers
        start_http_server(port(PORT_METRICS_SERVER), registry=services.metrics.registry)
    from .grpc.server import RpcServer  # late: a bundle that is refused need not wait for gRPC's import

    rpc = RpcServer(services, access, drain_seconds)
    await rpc.start()
    http = HttpServer(services, access, drain_seconds)
    await http.start()
    return http, rpc


@asynccontextmanager
async def _housekeeping(services: ServerServices, http: HttpServer, access: AccessControl, row_sender: RowSender) -> AsyncIterator[None]:
    """Do every second what is to be done every second."""
    chores = [row_sender.send_heartbeat, services.batcher.expire, http.close_expired_connections, access.reload_if_changed]
    if services.channel is not None:
        chores.insert(0, services.channel.beat)
    task = asyncio.create_task(_repeat(chores))
    try:
        yield
    finally:
        task.cancel()


async def _repeat(chores: Sequence[Callable[[], None]]) -> None:
    while True:
        await asyncio.sleep(_HOUSEKEEPING_SECONDS)
        for chore in chores:
            try:
                chore()
            except Exception:  # one that fails must not stop the others
                _log.exception("housekeeping failed, it is tried again in %g s", _HOUSEKEEPING_SECONDS)


def _calm_garbage_collector() -> None:
    """Freeze the objects that stay, and collect seldom: requests leave no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTION, 20, 50)


def _announce(services: ServerServices) -> None:
    """Log that the server is ready, and say so to the parent of several workers."""
    model = services.plane.model
    _log.info("serving %s on ports %d and %d with %s", model.version, port(PORT_REST), port(PORT_GRPC), model.predictor.engine)
    if services.channel is not None:
        services.channel.ready(services.metrics.registry)
