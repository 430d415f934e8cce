"""The Open Inference Protocol over gRPC, with the health and reflection services: it adapts the data plane, as ``rest.py`` does.

To import gRPC takes a tenth of a second, and its reflection half of that again: reflection is imported when somebody asks for it.
Not here: messages (``rpc_messages.py``), and what a request means.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health_pb2
from mlmodel_contract.environment import PORT_GRPC

from ...runtime.ports import address
from ..access.access_control import AccessControl
from ..access.authenticator import Authenticator, Credentials
from ..admission import TOO_MUCH
from ..errors import Failed, NotPossible, Overloaded, ServeError, Unauthenticated, UnknownModel
from ..graceful_shutdown import InFlightRequests
from ..http.endpoints import ServerServices
from ..inference import server_metadata
from ..inference.tensors import TensorMetadata
from ..limits import ServerLimits
from ..status_codes import TABLE, Status
from ..telemetry.trace_context import HEADER as TRACEPARENT
from ..telemetry.trace_context import Trace, current, end_rpc_span, trace_suffix
from .messages import RpcCall, parse
from .oip import open_inference_pb2 as oip

_log = logging.getLogger(__name__)
_SERVICE = "inference.GRPCInferenceService"
_HEALTH = "grpc.health.v1.Health"
_AGE_SECONDS = 10.0
_QUIET_TICKS = 8
"""Turns of the event loop without a further call, after which the calls that have come are computed together.

gRPC brings its calls one by one, over several turns each. A lone call waits for some ten microseconds.
"""

_REFLECTION = "/grpc.reflection."
_OPEN = frozenset({"live", "ready", "health"})
_OK = Status(200, "OK")
_CANCELLED = Status(499, "CANCELLED")
Context = grpc.aio.ServicerContext[Any, Any]
Call = Callable[[bytes], Awaitable[bytes]]


class Calls:
    """A method for each call: from the message's bytes to those of the answer, so that long messages are read in threads."""

    def __init__(self, parts: ServerServices) -> None:
        self._parts = parts
        self._plane = parts.plane

    def table(self) -> Mapping[str, Mapping[str, Call]]:
        """Return the methods by service and call."""
        inference: dict[str, Call] = {
            "ServerLive": self.live,
            "ServerReady": self.ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server,
            "ModelMetadata": self.metadata,
            "ModelInfer": self.infer,
            "RepositoryIndex": self.index,
            "RepositoryModelLoad": self.load,
            "RepositoryModelUnload": self.load,
        }
        return {_SERVICE: inference, _HEALTH: {"Check": self.health}}

    async def health(self, message: bytes) -> bytes:
        """Whether requests should come here, as gRPC's own health service tells it."""
        service = parse(health_pb2.HealthCheckRequest, message).service
        if service not in ("", _SERVICE):
            raise UnknownModel(f"there is no service '{service[:100]}' here: this server has '{_SERVICE}'")
        status = health_pb2.HealthCheckResponse.SERVING if self._parts.ready() else health_pb2.HealthCheckResponse.NOT_SERVING
        return bytes(health_pb2.HealthCheckResponse(status=status).SerializeToString())

    async def live(self, _message: bytes) -> bytes:
        """Whether the process answers."""
        return oip.ServerLiveResponse(live=True).SerializeToString()

    async def ready(self, _message: bytes) -> bytes:
        """Whether requests should come here."""
        return oip.ServerReadyResponse(ready=self._parts.ready()).SerializeToString()

    async def model_ready(self, message: bytes) -> bytes:
        """Whether the model is ready."""
        request = parse(oip.ModelReadyRequest, message)
        self._plane.find(request.name, request.version or None)
        return oip.ModelReadyResponse(ready=self._parts.ready()).SerializeToString()

    async def server(self, _message: bytes) -> bytes:
        """Server metadata."""
        answer = oip.ServerMetadataResponse(
            name=server_metadata.SERVER, version=server_metadata.server_version(), extensions=server_metadata.EXTENSIONS
        )
        return answer.SerializeToString()

    async def metadata(self, message: bytes) -> bytes:
        """The model's tensors."""
        request = parse(oip.ModelMetadataRequest, message)
        self._plane.find(request.name, request.version or None)
        model = self._plane.metadata()
        answer = oip.ModelMetadataResponse(
            name=model.name,
            versions=model.versions,
            platform=model.platform,
            inputs=[_tensor_metadata(tensor) for tensor in model.inputs],
            outputs=[_tensor_metadata(tensor) for tensor in model.outputs],
            parameters={name: _parameter(fact) for name, fact in model.parameters.items()},
        )
        return answer.SerializeToString()

    async def index(self, message: bytes) -> bytes:
        """The one model."""
        request = parse(oip.RepositoryIndexRequest, message)
        entries = server_metadata.index(self._plane.model, self._parts.ready(), request.ready)
        models = [oip.RepositoryIndexResponse.ModelIndex(**entry._asdict()) for entry in entries]
        return oip.RepositoryIndexResponse(models=models).SerializeToString()

    async def load(self, _message: bytes) -> bytes:
        """Refuse to load or unload; the messages, which Triton and KServe have different ones of, are not read."""
        raise NotPossible(server_metadata.ONE_VERSION)

    async def infer(self, message: bytes) -> bytes:
        """Predict."""
        if not self._parts.admission.keep(len(message)):
            raise Overloaded(TOO_MUCH)
        try:
            call = RpcCall(message, self._plane.find)
            return await self._parts.batcher.infer(call.decode, call.encode, len(message), _QUIET_TICKS)
        finally:
            self._parts.admission.release(len(message))


class RpcServer:
    """The gRPC server; its calls count as the process's traffic, so that it drains as REST does."""

    def __init__(self, parts: ServerServices, traffic: InFlightRequests, doors: AccessControl, limits: ServerLimits, drain: float) -> None:
        """``drain`` is how many seconds the end of the process may take."""
        self._parts = parts
        self._traffic = traffic
        self._callers = doors.authenticator
        self._server = grpc.aio.server(options=_options(limits, drain))
        self._server.add_generic_rpc_handlers([*self._handlers(), _Reflection()])
        if doors.certificate:
            self._server.add_secure_port(address(PORT_GRPC), doors.certificate.credentials())
        else:
            self._server.add_insecure_port(address(PORT_GRPC))

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def end(self) -> None:
        """End at once: to be called when the traffic has ended."""
        await self._server.stop(0)

    def _handlers(self) -> Iterator[grpc.GenericRpcHandler]:
        for service, calls in Calls(self._parts).table().items():
            handlers: dict[str, Any] = {
                name: grpc.unary_unary_rpc_method_handler(self._handler(f"{service}/{name}", call)) for name, call in calls.items()
            }
            yield grpc.method_handlers_generic_handler(service, handlers)

    def _handler(self, method: str, call: Call) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """Answer domain errors, trace and measure."""
        name = getattr(call, "__name__", "unknown")
        callers = None if name in _OPEN else self._callers

        async def handle(message: bytes, context: Context) -> bytes:
            started, status = time.perf_counter(), _OK
            trace = self._parts.traces.rpc(tuple(context.invocation_metadata() or ()), method, spans=name == "infer")
            current.set(trace)
            context.set_trailing_metadata(_traced(trace))
            self._traffic.begin()
            try:
                if callers is not None:
                    await _admit(callers, context)
                return await call(message)
            except ServeError as error:
                status = TABLE[type(error)]
                await _abort(context, error, trace)
            except asyncio.CancelledError:
                status = _CANCELLED
                raise
            except Exception:
                status = TABLE[Failed]
                _log.exception("a call could not be answered%s", trace_suffix(trace))
                await _abort(context, Failed("the server failed on this request, see its log"), trace)
            finally:
                self._traffic.end(1)
                self._parts.metrics.answered(name, status.http, time.perf_counter() - started, "grpc", trace)
                end_rpc_span(trace, status.grpc)

        return handle


class _Reflection(grpc.GenericRpcHandler):
    """The reflection service, made when it is first called."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call, if it is one of this service."""
        method = str(handler_call_details.method)
        if not method.startswith(_REFLECTION):
            return None
        if not self._made:
            self._made = _reflection_handlers()
        return self._made.get(method)


def _reflection_handlers() -> dict[str, Any]:
    from grpc_reflection.v1alpha import reflection

    class Gathered:
        """Takes the handlers, as a server does."""

        def __init__(self) -> None:
            self.handlers: dict[str, Any] = {}

        def add_generic_rpc_handlers(self, _handlers: Any) -> None:
            """Leave those: the registered ones are the same."""

        def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
            self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    gathered = Gathered()
    reflection.enable_server_reflection([_SERVICE, _HEALTH, reflection.SERVICE_NAME], gathered)
    return gathered.handlers


async def _admit(callers: Authenticator, context: Context) -> None:
    """Let a caller pass that may; the errors are those of ``Authenticator.authenticate``."""
    found: dict[str, bytes] = {}
    for key, value in context.invocation_metadata() or ():
        if key in ("authorization", "x-api-key"):
            if key in found:
                raise Unauthenticated(f"the metadata {key} is there twice: send it once")
            found[key] = value.encode() if isinstance(value, str) else value
    credentials = Credentials(found.get("authorization"), found.get("x-api-key"))
    if not callers.is_cached(credentials):
        await callers.authenticate(credentials)


async def _abort(context: Context, error: ServeError, trace: Trace | None) -> NoReturn:
    status = TABLE[type(error)]
    retry = (("grpc-retry-pushback-ms", str(1000 * status.retry_seconds)),) if status.retry_seconds else ()
    await context.abort(getattr(grpc.StatusCode, status.grpc), str(error), (*retry, *_traced(trace)))
    raise AssertionError  # abort has raised


def _traced(trace: Trace | None) -> tuple[tuple[str, str], ...]:
    return ((TRACEPARENT, trace.header),) if trace else ()


def _tensor_metadata(tensor: TensorMetadata) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)


def _parameter(fact: str | float) -> oip.InferParameter:
    return oip.InferParameter(string_param=fact) if isinstance(fact, str) else oip.InferParameter(double_param=fact)


def _options(limits: ServerLimits, drain: float) -> list[tuple[str, Any]]:
    """Return gRPC's settings.

    Connections are of a short age. At its end the client is told to make another, and no call fails; so they go to other pods while this
    one drains, and to new pods soon. (A server that is stopped under load cancels the calls that it has not begun with.)
    """
    return [
        ("grpc.max_connection_age_ms", int(1000 * min(_AGE_SECONDS, drain / 2))),
        ("grpc.max_receive_message_length", limits.body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", int(limits.workers > 1)),
    ]
