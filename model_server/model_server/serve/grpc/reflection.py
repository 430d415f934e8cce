"""The reflection service of gRPC, whose import takes half as long as that of gRPC: it is imported when somebody asks for it.

Not here: the services that it describes.
"""

from collections.abc import Mapping
from typing import Any

import grpc

from .calls import HEALTH_SERVICE, INFERENCE_SERVICE

_PREFIX = "/grpc.reflection."


class LazyReflection(grpc.GenericRpcHandler):
    """The reflection service, imported when it is first called."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call, if it is one of this service."""
        method = str(handler_call_details.method)
        if not method.startswith(_PREFIX):
            return None
        if not self._handlers:
            self._handlers = _reflection_handlers()
        return self._handlers.get(method)


def _reflection_handlers() -> dict[str, Any]:
    from grpc_reflection.v1alpha import reflection

    class HandlerCollector:
        """Receives the handlers in place of a server."""

        def __init__(self) -> None:
            self.handlers: dict[str, Any] = {}

        def add_generic_rpc_handlers(self, _handlers: Any) -> None:
            """Ignore these: the registered ones are the same."""

        def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
            self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    collector = HandlerCollector()
    reflection.enable_server_reflection([INFERENCE_SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME], collector)
    return collector.handlers
