"""The server process: load, warm up, listen, drain.

Not here: how any of these is done.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Callable

import httpx
import uvicorn
import uvloop
from mlmodel_contract.base import duration
from mlmodel_contract.environment import (
    ENV_POD,
    PATH_BUNDLE,
    PATH_PREDICTION_KEY,
    PATH_TERMINATION,
    PORT_GRPC,
    PORT_METRICS_SERVER,
    PORT_REST,
    SOCKET_FEEDBACK,
    SOCKET_ROWS,
)
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import MESSAGE_LIMIT
from prometheus_client import start_http_server

from ..bundle.errors import BundleRefused
from ..bundle.read import open_bundle
from ..listening import address, listen, port
from ..places import leave_message, place
from ..prediction_id import IdError, Signer, read_key
from .admission import Admission
from .batching import Batcher
from .dataplane import DataPlane, Predicted, ServedModel
from .drain import DrainingServer, Traffic
from .errors import StartRefused
from .feedback import FeedbackPlane, Forwarder
from .handover import Handover
from .metrics import ServerMetrics
from .protocol import protocol
from .rest import Parts, create_app
from .settings import Limits
from .shortcut import Hot

_log = logging.getLogger(__name__)
_BACKLOG = 2048
_FEEDBACK_SECONDS = 10.0
_TICK_SECONDS = 1.0
_OBJECTS = 20_000


def run_server() -> int:
    """Serve the bundle of ``$MLMODEL_POD`` until SIGTERM; return the exit code, 1 with the reason as termination message."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request
    document = PodDocument.model_validate_json(os.environ[ENV_POD])
    try:
        limits = Limits.from_environment()
        plane, key = prepare(document, limits)
    except (BundleRefused, StartRefused, IdError) as error:
        _log.error("not served: %s", error)
        leave_message(PATH_TERMINATION, str(error), MESSAGE_LIMIT)
        return 1
    uvloop.run(_serve(document, limits, plane, key))
    return 0


def prepare(document: PodDocument, limits: Limits) -> tuple[DataPlane, bytes]:
    """Open the bundle and warm up; return the data plane and the key of prediction ids.

    Raises:
        BundleRefused: the bundle is not the declared one, or must not be loaded.
        StartRefused: its golden rows are not predicted as they must be.
        IdError: there is no usable key.

    """
    key = read_key(place(PATH_PREDICTION_KEY))
    bundle = open_bundle(place(PATH_BUNDLE), document.artifact.digest)
    estimator = bundle.manifest.estimator.value if bundle.manifest.estimator else "unknown"
    model = ServedModel(document.model, document.version, bundle.schema, bundle.predictor, estimator, bundle.golden.tolerance)
    plane = DataPlane(model, Signer(key, document.version), limits.rows)
    plane.warm_up(bundle.golden)
    return plane, key


async def _serve(document: PodDocument, limits: Limits, plane: DataPlane, key: bytes) -> None:
    model = plane.model
    metrics = ServerMetrics(document.namespace, model.name, model.version)
    metrics.describe(model.predictor.engine, model.estimator)
    handover = Handover(place(SOCKET_ROWS), metrics.dropped)

    def told(predicted: Predicted) -> None:
        handover.offer(predicted)
        metrics.predicted(len(predicted.ids), predicted.outside)

    batcher = Batcher(plane, limits, told, metrics)
    transport = httpx.AsyncHTTPTransport(uds=str(place(SOCKET_FEEDBACK)))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor", timeout=_FEEDBACK_SECONDS) as client:
        feedback = FeedbackPlane(model.schema, key, duration(document.label_delay).total_seconds())
        admission = Admission(limits)
        parts = Parts(plane, feedback, Forwarder(client), batcher, admission, metrics, lambda: not traffic.draining)
        traffic = Traffic(create_app(parts))
        metrics.watch(lambda: traffic.in_flight)
        start_http_server(port(PORT_METRICS_SERVER), registry=metrics.registry)
        hot = Hot(plane, batcher, admission, traffic, metrics, limits)
        from .rpc import RpcServer  # late: a bundle that is refused need not wait for gRPC's import

        drain = duration(document.drain).total_seconds()
        rpc = RpcServer(parts, traffic, limits, address(PORT_GRPC), drain)
        await rpc.start()
        server = DrainingServer(_config(traffic, hot), traffic, drain)
        ticking = asyncio.create_task(_tick(lambda: _look(handover, batcher, hot, server)))
        _calm_collector()
        _log.info("serving %s on ports %d and %d with %s", model.version, port(PORT_REST), port(PORT_GRPC), model.predictor.engine)
        await server.serve(sockets=[listen(PORT_REST, _BACKLOG)])
        await rpc.end()
        ticking.cancel()
        handover.tell_served()
        await handover.flush(1.0)
    _log.info("ended")


def _config(traffic: Traffic, hot: Hot) -> uvicorn.Config:
    return uvicorn.Config(
        traffic,
        http=protocol(hot),
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


def _look(handover: Handover, batcher: Batcher, hot: Hot, server: DrainingServer) -> None:
    handover.tell_served()
    batcher.expire()
    hot.sweep(server.server_state.connections)


async def _tick(look: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        look()
