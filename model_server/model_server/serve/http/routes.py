"""The one table of the server's HTTP routes, by the Open Inference Protocol v2 and KServe's V1.

Not here: what their endpoints do (``endpoints.py``).
"""

from typing import NamedTuple

from ...link.labels import ROUTE_MODEL_FEEDBACK


class Route(NamedTuple):
    """A route: ``path`` is a template, ``endpoint`` a method of ``Endpoints`` and a label of the metrics.

    A path that is ``open`` needs no credentials. Requests have spans where the route is ``recorded`` and the MLModel asks for spans; those
    of probes would tell nobody anything.
    """

    method: str
    path: str
    endpoint: str
    open: bool = False
    recorded: bool = False

    def url(self, model: str = "", version: str = "") -> str:
        """Return the path of a model, and of a version of it.

        >>> INFER.url("m")
        '/v2/models/m/infer'

        """
        return self.path.format(model=model, version=version)


INFER = Route("POST", "/v2/models/{model}/infer", "infer", recorded=True)
INFER_VERSION = Route("POST", "/v2/models/{model}/versions/{version}/infer", "infer", recorded=True)
FEEDBACK = Route("POST", ROUTE_MODEL_FEEDBACK, "feedback", recorded=True)
SERVER_READY = Route("GET", "/v2/health/ready", "ready", open=True)
SERVER_LIVE = Route("GET", "/v2/health/live", "live", open=True)
MODEL_READY = Route("GET", "/v2/models/{model}/ready", "model_ready")
MODEL_VERSION_READY = Route("GET", "/v2/models/{model}/versions/{version}/ready", "model_ready")
MODEL_METADATA = Route("GET", "/v2/models/{model}", "metadata")
MODEL_VERSION_METADATA = Route("GET", "/v2/models/{model}/versions/{version}", "metadata")
MODELS = Route("GET", "/v2/models", "models")
REPOSITORY_INDEX = Route("POST", "/v2/repository/index", "index")
REPOSITORY_LOAD = Route("POST", "/v2/repository/models/{model}/load", "load")
REPOSITORY_UNLOAD = Route("POST", "/v2/repository/models/{model}/unload", "load")
V1_PREDICT = Route("POST", "/v1/models/{model}:predict", "predict", recorded=True)
V1_MODEL_READY = Route("GET", "/v1/models/{model}", "model_ready")
V1_MODELS = Route("GET", "/v1/models", "models")
V1_LIVE = Route("GET", "/", "root", open=True)
OPENAPI = Route("GET", "/openapi.json", "openapi")
DOCS = Route("GET", "/docs", "docs")
SERVER_METADATA = Route("GET", "/v2", "server")

ROUTES = (
    INFER,
    INFER_VERSION,
    FEEDBACK,
    SERVER_READY,
    SERVER_LIVE,
    MODEL_READY,
    MODEL_VERSION_READY,
    MODEL_METADATA,
    MODEL_VERSION_METADATA,
    MODELS,
    REPOSITORY_INDEX,
    REPOSITORY_LOAD,
    REPOSITORY_UNLOAD,
    V1_PREDICT,
    V1_MODEL_READY,
    V1_MODELS,
    V1_LIVE,
    OPENAPI,
    DOCS,
    SERVER_METADATA,
)
"""All routes, in the order in which they are matched."""

OPEN_PATHS = frozenset(route.path for route in ROUTES if route.open)


def inference_routes(model: str, version: str) -> dict[bytes, Route]:
    """Return the routes of the fast path by the URL that a client sends."""
    return {route.url(model, version).encode(): route for route in (INFER, INFER_VERSION)}
