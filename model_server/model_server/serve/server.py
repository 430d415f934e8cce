"""The server process: load, warm up, listen, drain.

Not here: how any of these is done.
"""

import asyncio
import gc
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import uvicorn
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
    SOCKET_SERVER,
)
from mlmodel_contract.manifest import ServerSettings
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import MESSAGE_LIMIT
from prometheus_client import start_http_server

from ..bundle.errors import BundleRefused
from ..bundle.read import open_bundle
from ..prediction_id.ids import IdError, Signer, read_key
from ..runtime.paths import leave_message, resolve_path
from ..runtime.ports import listen, port
from ..runtime.workers import WorkerChannel
from .access.access_control import AccessControl, build_access_control
from .admission import Admission
from .errors import StartRefused
from .graceful_shutdown import DrainingServer, InFlightRequests
from .http.auth_middleware import AuthMiddleware
from .http.connection import protocol
from .http.endpoints import ServerServices, create_app
from .http.fast_path import FastPathContext
from .http.unix_listener import listen_locally
from .inference.batcher import Batcher
from .inference.data_plane import DataPlane, PredictedBatch
from .label_forwarder import LabelForwarder
from .labels import FeedbackPlane
from .limits import ServerLimits
from .row_sender import RowSender
from .served_model import ServedModel
from .telemetry.metrics import ServerMetrics
from .telemetry.trace_context import Traces

if TYPE_CHECKING:
    from .telemetry.spans import SpanRecorder

_log = logging.getLogger(__name__)
_BACKLOG = 2048
_TICK_SECONDS = 1.0
_OBJECTS = 20_000


def run_server(document: PodDocument, link: WorkerChannel | None = None) -> int:
    """Serve the pod's bundle until SIGTERM; return the exit code, 1 with the reason as termination message.

    Args:
        document: what the pod is told of its model.
        link: where this process is one of several workers, what it shares with its parent.

    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request
    try:
        limits = ServerLimits.from_settings(document.serving or ServerSettings())
        plane, key = prepare(document, limits)
        uvloop.run(_serve(document, limits, plane, key, link))
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


async def _serve(document: PodDocument, limits: ServerLimits, plane: DataPlane, key: bytes, link: WorkerChannel | None) -> None:
    model = plane.model
    metrics = ServerMetrics(document.namespace, model.name, model.version)
    metrics.describe(model.predictor.engine, model.estimator)
    doors = await build_access_control(document, metrics)
    handover = RowSender(resolve_path(SOCKET_ROWS), metrics.dropped)
    recorder = _recorder(document, model, metrics)
    traces = Traces(recorder)

    def told(predicted: PredictedBatch) -> None:
        handover.send(predicted)
        metrics.predicted(len(predicted.ids), predicted.outside)

    batcher = Batcher(plane, limits, told, metrics)
    async with aclosing(LabelForwarder(resolve_path(SOCKET_FEEDBACK))) as forwarder:
        feedback = FeedbackPlane(model.schema, key, duration(document.label_delay).total_seconds())
        admission = Admission(limits)
        parts = ServerServices(
            plane,
            feedback,
            forwarder,
            batcher,
            admission,
            metrics,
            traces,
            lambda: not traffic.draining and (link is None or link.all_ready),
            document.authentication,
        )
        traffic = InFlightRequests(create_app(parts))
        metrics.watch(lambda: traffic.in_flight)
        if link is None:  # else the parent tells the metrics of all workers
            start_http_server(port(PORT_METRICS_SERVER), registry=metrics.registry)
        hot = FastPathContext(plane, batcher, admission, traffic, metrics, limits, traces)
        from .grpc.server import RpcServer  # late: a bundle that is refused need not wait for gRPC's import

        drain = duration(document.drain).total_seconds()
        rpc = RpcServer(parts, traffic, doors, limits, drain)
        await rpc.start()
        server = DrainingServer(_config(traffic, hot, doors, metrics), traffic, drain)
        local = await listen_locally(resolve_path(SOCKET_SERVER), _config(traffic, hot, AccessControl(), metrics), server)
        ticking = asyncio.create_task(_tick(lambda: _look(handover, batcher, hot, server, doors, link)))
        socket = listen(PORT_REST, _BACKLOG, shared=limits.workers > 1)
        _calm_collector()
        _log.info("serving %s on ports %d and %d with %s", model.version, port(PORT_REST), port(PORT_GRPC), model.predictor.engine)
        if link is not None:
            link.ready(metrics.registry)
        await server.serve(sockets=[socket])
        local.close()
        await rpc.end()
        ticking.cancel()
        handover.send_heartbeat()
        await handover.flush(1.0)
    if recorder:
        recorder.end()
    _log.info("ended")


def _recorder(document: PodDocument, model: ServedModel, metrics: ServerMetrics) -> "SpanRecorder | None":
    if document.tracing is None:
        return None
    from .telemetry.spans import SpanRecorder  # OpenTelemetry costs time and memory only where it is asked for

    return SpanRecorder(document.tracing, document.namespace, model, metrics.spans)


def _config(traffic: InFlightRequests, hot: FastPathContext, doors: AccessControl, metrics: ServerMetrics) -> uvicorn.Config:
    certificate = doors.certificate
    return uvicorn.Config(
        AuthMiddleware(traffic, doors.authenticator, metrics) if doors.authenticator else traffic,
        http=protocol(hot, doors.authenticator),
        ssl_context_factory=(lambda _config, _default: certificate.context()) if certificate else None,
        loop="uvloop",
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )


def _calm_collector() -> None:
    """What is there by now stays, so the collector need not look at it again; requests leave no cycles, so it need not look often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 50)


def _look(
    handover: RowSender, batcher: Batcher, hot: FastPathContext, server: DrainingServer, doors: AccessControl, link: WorkerChannel | None
) -> None:
    if link is not None:
        link.beat()
    handover.send_heartbeat()
    batcher.expire()
    hot.sweep(server.server_state.connections)
    doors.reload_if_changed()


async def _tick(look: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        look()
