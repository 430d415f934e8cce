"""The gRPC server: the Open Inference Protocol with the health and reflection services; it authenticates, traces and measures calls.

To import gRPC takes a tenth of a second. Not here: the calls (``calls.py``), and messages (``messages.py``).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

import grpc
from mlmodel_contract.environment import PORT_GRPC

from ...runtime.ports import address
from ..access.access_control import AccessControl
from ..access.authenticator import Authenticator, Credentials
from ..errors import Failed, ServeError, Unauthenticated
from ..limits import ServerLimits
from ..services import ServerServices
from ..status_codes import TABLE, Status
from ..telemetry.trace_context import HEADER as TRACEPARENT
from ..telemetry.trace_context import Trace, current, end_rpc_span, trace_suffix
from .calls import Call, Calls
from .reflection import LazyReflection

_log = logging.getLogger(__name__)
_AGE_SECONDS = 10.0
_OPEN = frozenset({"live", "ready", "health"})
_OK = Status(200, "OK")
_CANCELLED = Status(499, "CANCELLED")
Context = grpc.aio.ServicerContext[Any, Any]


class RpcServer:
    """The gRPC server; its calls count as requests in flight, so that it drains as HTTP does."""

    def __init__(self, services: ServerServices, access: AccessControl, drain_seconds: float) -> None:
        """``drain_seconds`` is how long the process drains at most."""
        self._services = services
        self._authenticator = access.authenticator
        self._server = grpc.aio.server(options=_options(services.limits, drain_seconds))
        self._server.add_generic_rpc_handlers([*self._handlers(), LazyReflection()])
        if access.certificate:
            self._server.add_secure_port(address(PORT_GRPC), access.certificate.credentials())
        else:
            self._server.add_insecure_port(address(PORT_GRPC))

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def end(self) -> None:
        """End at once: to be called when no request is in flight."""
        await self._server.stop(0)

    def _handlers(self) -> Iterator[grpc.GenericRpcHandler]:
        for service, calls in Calls(self._services).table().items():
            handlers: dict[str, Any] = {
                name: grpc.unary_unary_rpc_method_handler(self._handler(f"{service}/{name}", call)) for name, call in calls.items()
            }
            yield grpc.method_handlers_generic_handler(service, handlers)

    def _handler(self, method: str, call: Call) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """Answer domain errors, trace and measure."""
        name = getattr(call, "__name__", "unknown")
        authenticator = None if name in _OPEN else self._authenticator

        async def handle(message: bytes, context: Context) -> bytes:
            started, status = time.perf_counter(), _OK
            trace = self._services.traces.rpc(tuple(context.invocation_metadata() or ()), method, spans=name == "infer")
            current.set(trace)
            context.set_trailing_metadata(_traced(trace))
            self._services.in_flight.begin()
            try:
                if authenticator is not None:
                    await _authenticate(authenticator, context)
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
                self._services.in_flight.end()
                self._services.metrics.answered(name, status.http, time.perf_counter() - started, "grpc", trace)
                end_rpc_span(trace, status.grpc)

        return handle


async def _authenticate(authenticator: Authenticator, context: Context) -> None:
    """Authenticate a caller; the errors are those of ``Authenticator.authenticate``."""
    found: dict[str, bytes] = {}
    for key, value in context.invocation_metadata() or ():
        if key in ("authorization", "x-api-key"):
            if key in found:
                raise Unauthenticated(f"the metadata {key} is there twice: send it once")
            found[key] = value.encode() if isinstance(value, str) else value
    credentials = Credentials(found.get("authorization"), found.get("x-api-key"))
    if not authenticator.is_cached(credentials):
        await authenticator.authenticate(credentials)


async def _abort(context: Context, error: ServeError, trace: Trace | None) -> NoReturn:
    status = TABLE[type(error)]
    retry = (("grpc-retry-pushback-ms", str(1000 * status.retry_seconds)),) if status.retry_seconds else ()
    await context.abort(getattr(grpc.StatusCode, status.grpc), str(error), (*retry, *_traced(trace)))
    raise AssertionError  # abort has raised


def _traced(trace: Trace | None) -> tuple[tuple[str, str], ...]:
    return ((TRACEPARENT, trace.header),) if trace else ()


def _options(limits: ServerLimits, drain_seconds: float) -> list[tuple[str, Any]]:
    """Return gRPC's settings.

    Connections are of a short age. At its end the client is asked to make another, and no call fails; so they go to other pods while this
    one drains, and to new pods soon. (A server that is stopped under load cancels the calls that it has not begun with.)
    """
    return [
        ("grpc.max_connection_age_ms", int(1000 * min(_AGE_SECONDS, drain_seconds / 2))),
        ("grpc.max_receive_message_length", limits.body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", int(limits.workers > 1)),
    ]
