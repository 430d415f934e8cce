"""The gate in front of REST: requests of callers that may not call are answered here, their bodies unread.

Health needs no credentials: kubelet has none. Not here: who may call (``callers.py``).
"""

import time

from starlette.types import Receive, Scope, Send

from ..access.authenticator import OPEN, Authenticator, Credentials
from ..errors import ServeError, Unauthenticated
from ..graceful_shutdown import InFlightRequests
from ..status_codes import TABLE
from ..telemetry.metrics import ServerMetrics
from .endpoints import refusal

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mlmodel"'}


class AuthMiddleware:
    """An ASGI application in front of another."""

    def __init__(self, app: InFlightRequests, callers: Authenticator, metrics: ServerMetrics) -> None:
        self._app = app
        self._callers = callers
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        error = None if scope["path"] in OPEN else await self._error(Credentials.from_headers(dict(scope["headers"])))
        if error is None:
            await self._app(scope, receive, send)
            return
        headers = CHALLENGE if isinstance(error, Unauthenticated) else {}
        closing = {"Connection": "close"} if self._app.draining else {}
        await refusal(error, {**headers, **closing})(scope, receive, send)

    async def _error(self, credentials: Credentials) -> ServeError | None:
        if self._callers.is_cached(credentials):
            return None
        started = time.perf_counter()
        self._app.begin()
        try:
            await self._callers.authenticate(credentials)
        except ServeError as error:
            self._metrics.answered("authentication", TABLE[type(error)].http, time.perf_counter() - started)
            return error
        finally:
            self._app.end(1)
        return None
