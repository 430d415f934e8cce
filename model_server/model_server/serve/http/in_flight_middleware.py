"""An ASGI application around another, which counts its requests; while the server drains, each response closes its connection."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..in_flight import InFlightRequests


class InFlightMiddleware:
    """Counts the requests of ``app``."""

    def __init__(self, app: ASGIApp, in_flight: InFlightRequests) -> None:
        self._app = app
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_closing(message: Message) -> None:
            if self._in_flight.draining and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        self._in_flight.begin()
        try:
            await self._app(scope, receive, send_closing)
        finally:
            self._in_flight.end()
