"""The HTTP server: at the pod's port, and without TLS and credentials at a socket that only the pod's own containers have.

Not here: what is answered.
"""

import asyncio

import uvicorn
from mlmodel_contract.environment import PORT_REST, SOCKET_SERVER
from starlette.types import ASGIApp

from ...runtime.paths import resolve_path
from ...runtime.ports import listen
from ..access.access_control import AccessControl
from ..graceful_shutdown import DrainingServer
from ..services import ServerServices
from .app import create_app
from .auth_middleware import AuthMiddleware
from .connection import protocol_class
from .deadlines import CoarseClock
from .in_flight_middleware import InFlightMiddleware
from .unix_listener import listen_locally

_BACKLOG = 2048


class HttpServer:
    """Uvicorn with the server's own connections; ``drain_seconds`` is how long it drains at most. To be made in its event loop."""

    def __init__(self, services: ServerServices, access: AccessControl, drain_seconds: float) -> None:
        self._services = services
        self._clock = CoarseClock()
        self._app = InFlightMiddleware(create_app(services), services.in_flight)
        self._server = DrainingServer(self._config(access), services.in_flight, drain_seconds)

    async def start(self) -> None:
        """Listen; at the port, requests wait until ``serve``."""
        local_config = self._config(AccessControl())
        self._local_listener = await listen_locally(resolve_path(SOCKET_SERVER), local_config, self._server)
        self._socket = listen(PORT_REST, _BACKLOG, shared=self._services.limits.workers > 1)

    async def serve(self) -> None:
        """Serve until SIGTERM, and until what is under way has ended."""
        await self._server.serve(sockets=[self._socket])
        self._local_listener.close()

    def close_expired_connections(self) -> None:
        """Close the connections of clients that are too slow; to be called every second."""
        self._clock.update()
        connections: set[asyncio.Protocol] = {*self._server.server_state.connections}
        for connection in connections:
            connection.close_if_expired()  # type: ignore[attr-defined]

    def _config(self, access: AccessControl) -> uvicorn.Config:
        app: ASGIApp = self._app
        if access.authenticator:
            app = AuthMiddleware(app, access.authenticator, self._services)
        certificate = access.certificate
        return uvicorn.Config(
            app,
            http=protocol_class(self._services, self._clock, access.authenticator),
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
