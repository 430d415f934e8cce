"""The Open Inference Protocol over HTTP, as a starlette application: it adapts the data plane and maps its errors to statuses.

Not here: what a request means.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import orjson
from mlmodel_contract.manifest import Authentication
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..admission import Admission
from ..errors import InvalidRequest, NotPossible, ServeError
from ..inference import server_metadata
from ..inference.batcher import Batcher
from ..inference.data_plane import DataPlane
from ..label_forwarder import LabelForwarder
from ..labels import Feedback, FeedbackPlane
from ..status_codes import TABLE
from ..telemetry.metrics import ServerMetrics
from ..telemetry.trace_context import HEADER as TRACEPARENT
from ..telemetry.trace_context import Trace, Traces, current, end_http_span, trace_suffix
from . import kserve_v1
from .binary_tensors import HEADER, BinaryResponse, json_length
from .docs_page import POLICY, page
from .kserve_v1 import KServeV1Decoder
from .oip_json import InferCall, encode_metadata, parse_object
from .openapi import describe

STATUSES: Mapping[type[ServeError], int] = {error: status.http for error, status in TABLE.items()}
RETRY_SECONDS = {status.http: str(status.retry_seconds) for status in TABLE.values() if status.retry_seconds}
Handler = Callable[[Request], Awaitable[Response]]
_RECORDED = ("infer", "predict", "feedback")
"""Endpoints whose requests have spans, where any have: what a probe asks for tells nobody anything."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerServices:
    """What the endpoints work with. ``ready`` is false while the server drains; without ``authentication`` everybody may call."""

    plane: DataPlane
    feedback: FeedbackPlane
    forwarder: LabelForwarder
    batcher: Batcher
    admission: Admission
    metrics: ServerMetrics
    traces: Traces
    ready: Callable[[], bool]
    authentication: Authentication | None


class Endpoints:
    """A method for each endpoint."""

    def __init__(self, parts: ServerServices) -> None:
        self._parts = parts
        self._v1 = KServeV1Decoder(parts.plane.model.schema)

    async def root(self, _request: Request) -> Response:
        """Whether the process answers, by KServe's protocol V1."""
        return _json({"status": "alive"})

    async def server(self, _request: Request) -> Response:
        """Server metadata."""
        return _json(
            {"name": server_metadata.SERVER, "version": server_metadata.server_version(), "extensions": server_metadata.EXTENSIONS}
        )

    async def live(self, _request: Request) -> Response:
        """Whether the process answers."""
        return _json({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Whether requests should come here."""
        ready = self._parts.ready()
        return _json({"ready": ready}, 200 if ready else 503)

    async def models(self, _request: Request) -> Response:
        """The one model."""
        return _json({"models": [self._parts.plane.model.name]})

    async def metadata(self, request: Request) -> Response:
        """The model's tensors."""
        self._find(request)
        return _document(encode_metadata(self._parts.plane.metadata()))

    async def model_ready(self, request: Request) -> Response:
        """Whether the model is ready."""
        ready = self._parts.ready()
        return _json({"name": self._find(request), "ready": ready}, 200 if ready else 503)

    async def infer(self, request: Request) -> Response:
        """Predict; most requests do not come here, but by the shorter way of ``protocol.py``."""
        self._find(request)
        length = json_length(request.headers.get(HEADER))
        async with self._body(request) as body:
            call = InferCall(body, length)
            answer = await self._parts.batcher.infer(call.decode, call.encode, len(body))
        return _mixed(answer) if isinstance(answer, BinaryResponse) else _document(answer)

    async def predict(self, request: Request) -> Response:
        """Predict by KServe's protocol V1."""
        self._find(request)
        async with self._body(request) as body:
            return _document(await self._parts.batcher.infer(lambda: self._v1.decode(body), kserve_v1.encode, len(body)))

    async def index(self, request: Request) -> Response:
        """The repository's models: one."""
        async with self._body(request) as body:
            only_ready = parse_object(body).get("ready") is True if body else False
        return _json([entry._asdict() for entry in server_metadata.index(self._parts.plane.model, self._parts.ready(), only_ready)])

    async def load(self, request: Request) -> Response:
        """Refuse to load or unload."""
        self._find(request)
        raise NotPossible(
            "a server has one version from its start to its end: change the MLModel, or annotate it with mlmodel.dev/rollback-to"
        )

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI description."""
        return _json(self._description())

    async def docs(self, _request: Request) -> Response:
        """A page for people."""
        plane = self._parts.plane
        content = page(self._description(), plane.metadata(), plane.model.schema)
        return Response(content, headers={"Content-Security-Policy": POLICY}, media_type="text/html")

    async def feedback(self, request: Request) -> Response:
        """Take labels; answered once they are durable."""
        self._find(request)
        accepted = repeated = 0
        async with self._body(request) as body:
            feedback = await self._parts.admission.run(lambda: self._parts.feedback.read(parse_object(body)))
            if feedback.accepted:
                acknowledgement = await self._parts.forwarder.forward(feedback.accepted)
                accepted, repeated = acknowledgement["accepted"], acknowledgement["repeated"]
        self._parts.metrics.labelled(accepted, repeated, len(feedback.rejected))
        return _feedback_answer(feedback, accepted, repeated)

    def _description(self) -> dict[str, Any]:
        plane = self._parts.plane
        return describe(plane.metadata(), plane.model.schema, self._parts.authentication)

    def _find(self, request: Request) -> str:
        name = str(request.path_params["model"])
        self._parts.plane.find(name, request.path_params.get("version"))
        return name

    def _body(self, request: Request) -> AbstractAsyncContextManager[bytes]:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise InvalidRequest("compressed bodies are not taken: send the body without Content-Encoding")
        declared = request.headers.get("content-length", "")
        return self._parts.admission.received(request.stream(), int(declared) if declared.isdecimal() else None)


def create_app(parts: ServerServices) -> Starlette:
    """Return the application with all endpoints."""
    endpoints = Endpoints(parts)
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/v2/models/{model}/infer", endpoints.infer),
        ("POST", "/v2/models/{model}/versions/{version}/infer", endpoints.infer),
        ("POST", "/v2/models/{model}/feedback", endpoints.feedback),
        ("GET", "/v2/health/ready", endpoints.ready),
        ("GET", "/v2/health/live", endpoints.live),
        ("GET", "/v2/models/{model}/ready", endpoints.model_ready),
        ("GET", "/v2/models/{model}/versions/{version}/ready", endpoints.model_ready),
        ("GET", "/v2/models/{model}", endpoints.metadata),
        ("GET", "/v2/models/{model}/versions/{version}", endpoints.metadata),
        ("GET", "/v2/models", endpoints.models),
        ("POST", "/v2/repository/index", endpoints.index),
        ("POST", "/v2/repository/models/{model}/load", endpoints.load),
        ("POST", "/v2/repository/models/{model}/unload", endpoints.load),
        ("POST", "/v1/models/{model}:predict", endpoints.predict),
        ("GET", "/v1/models/{model}", endpoints.model_ready),
        ("GET", "/v1/models", endpoints.models),
        ("GET", "/", endpoints.root),
        ("GET", "/openapi.json", endpoints.openapi),
        ("GET", "/docs", endpoints.docs),
        ("GET", "/v2", endpoints.server),
    ]
    routes = [Route(path, _measured(handler, path, parts), methods=[method]) for method, path, handler in table]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error, 500: _internal_error})


def _measured(handler: Handler, path: str, parts: ServerServices) -> Handler:
    """Answer domain errors, trace and measure; around each endpoint, so that the endpoint's name is known."""
    name = getattr(handler, "__name__", "unknown")
    route = path if name in _RECORDED else None

    async def measured(request: Request) -> Response:
        started = time.perf_counter()
        code = 500
        trace = parts.traces.http(request.headers.raw, request.method, request.scope["path"], route, request.scope["scheme"])
        current.set(trace)
        try:
            response = await _answered(handler, request)
            code = response.status_code
        finally:
            parts.metrics.answered(name, code, time.perf_counter() - started, trace=trace)
            end_http_span(trace, code)
        response.headers.update(_traced(trace))
        return response

    return measured


async def _answered(handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except ServeError as error:
        return _error(STATUSES[type(error)], str(error))
    except ClientDisconnect:
        return _error(400, "the connection was closed before the body was complete")


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path[:200]
    text = {404: f"there is nothing at {path}: see /v2", 405: f"{request.method} is not possible at {path}"}
    return _error(error.status_code, text.get(error.status_code, error.detail), error.headers)


async def _internal_error(_request: Request, _failure: Exception) -> Response:
    trace = current.get()
    _log.error("a request could not be answered%s", trace_suffix(trace))  # uvicorn tells why
    return _error(500, "the server failed on this request, see its log", _traced(trace))


def _traced(trace: Trace | None) -> dict[str, str]:
    return {TRACEPARENT: trace.header} if trace else {}


def _feedback_answer(feedback: Feedback, accepted: int, repeated: int) -> Response:
    rejected = [{"id": item.id, "error": item.error} for item in feedback.rejected]
    document: dict[str, Any] = {"accepted": accepted, "repeated": repeated, "rejected": rejected}
    if not feedback.accepted:
        return _json({"error": feedback.rejected[0].error, **document}, 400)
    return _json(document)


def refusal(error: ServeError, headers: Mapping[str, str]) -> Response:
    """Return the answer to a request that no endpoint sees."""
    return _error(STATUSES[type(error)], str(error), headers)


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    extra = {"Retry-After": RETRY_SECONDS[status]} if status in RETRY_SECONDS else {}
    return _json({"error": message}, status, {**(headers or {}), **extra})


def _json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _document(orjson.dumps(document), status, headers)


def _document(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def _mixed(answer: BinaryResponse) -> Response:
    return Response(answer.body, headers={HEADER: str(answer.json_length)}, media_type="application/octet-stream")
