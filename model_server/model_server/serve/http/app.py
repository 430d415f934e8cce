"""The starlette application: routes the requests that do not take the fast path, and maps what goes wrong to statuses.

Not here: what the endpoints do.
"""

import logging
import time
from collections.abc import Awaitable, Callable

from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import ServeError
from ..services import ServerServices
from ..telemetry.trace_context import HEADER as TRACEPARENT
from ..telemetry.trace_context import Trace, current, end_http_span, trace_suffix
from .endpoints import Endpoints
from .json_response import error_response, serve_error_response
from .routes import ROUTES, SERVER_METADATA, Route

_log = logging.getLogger(__name__)
_MAX_PATH = 200
Handler = Callable[[Request], Awaitable[Response]]


def create_app(services: ServerServices) -> Starlette:
    """Return the application with all routes."""
    endpoints = Endpoints(services)
    routes = [
        routing.Route(route.path, _measured(getattr(endpoints, route.endpoint), route, services), methods=[route.method])
        for route in ROUTES
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error, 500: _internal_error})


def _measured(handler: Handler, route: Route, services: ServerServices) -> Handler:
    """Answer domain errors, trace and measure; around each endpoint, so that the endpoint's name is known."""
    recorded_path = route.path if route.recorded else None

    async def measured(request: Request) -> Response:
        started = time.perf_counter()
        code = 500
        trace = services.traces.http(request.headers.raw, request.method, request.scope["path"], recorded_path, request.scope["scheme"])
        current.set(trace)
        try:
            response = await _answered(handler, request)
            code = response.status_code
        finally:
            services.metrics.answered(route.endpoint, code, time.perf_counter() - started, trace=trace)
            end_http_span(trace, code)
        response.headers.update(_trace_headers(trace))
        return response

    return measured


async def _answered(handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except ServeError as error:
        return serve_error_response(error)
    except ClientDisconnect:
        return error_response(400, "the connection was closed before the body was complete")


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path[:_MAX_PATH]
    text = {404: f"there is nothing at {path}: see {SERVER_METADATA.path}", 405: f"{request.method} is not possible at {path}"}
    return error_response(error.status_code, text.get(error.status_code, error.detail), error.headers)


async def _internal_error(_request: Request, _failure: Exception) -> Response:
    trace = current.get()
    _log.error("a request could not be answered%s", trace_suffix(trace))  # uvicorn logs why
    return error_response(500, "the server failed on this request, see its log", _trace_headers(trace))


def _trace_headers(trace: Trace | None) -> dict[str, str]:
    return {TRACEPARENT: trace.header} if trace else {}
