"""Authentication in front of the application: requests of callers that may not call are answered here, their bodies unread.

Health needs no credentials, for kubelet has none. Not here: who may call (``access/``).
"""

import time

from starlette.types import ASGIApp, Receive, Scope, Send

from ..access.authenticator import Authenticator, Credentials
from ..errors import ServeError, Unauthenticated
from ..services import ServerServices
from ..status_codes import HTTP_STATUSES
from .json_response import serve_error_response
from .routes import OPEN_PATHS

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mlmodel"'}


class AuthMiddleware:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, services: ServerServices) -> None:
        self._app = app
        self._authenticator = authenticator
        self._in_flight = services.in_flight
        self._metrics = services.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        error = None if scope["path"] in OPEN_PATHS else await self._error(Credentials.from_headers(dict(scope["headers"])))
        if error is None:
            await self._app(scope, receive, send)
            return
        headers = CHALLENGE if isinstance(error, Unauthenticated) else {}
        closing = {"Connection": "close"} if self._in_flight.draining else {}
        await serve_error_response(error, {**headers, **closing})(scope, receive, send)

    async def _error(self, credentials: Credentials) -> ServeError | None:
        if self._authenticator.is_cached(credentials):
            return None
        started = time.perf_counter()
        self._in_flight.begin()
        try:
            await self._authenticator.authenticate(credentials)
        except ServeError as error:
            self._metrics.answered("authentication", HTTP_STATUSES[type(error)], time.perf_counter() - started)
            return error
        finally:
            self._in_flight.end()
        return None
