"""The endpoints of the Open Inference Protocol and of KServe's V1: they adapt the data plane to HTTP.

Not here: what a request means, and which routes lead to an endpoint (``routes.py``).
"""

from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..errors import InvalidRequest, NotPossible
from ..inference import server_metadata
from ..labels import Feedback
from ..services import ServerServices
from . import kserve_v1
from .binary_tensors import HEADER, BinaryResponse, json_length
from .json_response import json_bytes_response, json_response
from .kserve_v1 import KServeV1Decoder
from .oip_json import InferCall, encode_metadata, parse_object
from .openapi.description import describe
from .openapi.docs_page import POLICY, page


class Endpoints:
    """A method for each endpoint."""

    def __init__(self, services: ServerServices) -> None:
        self._services = services
        self._plane = services.plane
        self._v1 = KServeV1Decoder(services.plane.model.schema)

    async def root(self, _request: Request) -> Response:
        """Whether the process answers, by KServe's protocol V1."""
        return json_response({"status": "alive"})

    async def server(self, _request: Request) -> Response:
        """Server metadata."""
        return json_response(
            {"name": server_metadata.SERVER, "version": server_metadata.server_version(), "extensions": server_metadata.EXTENSIONS}
        )

    async def live(self, _request: Request) -> Response:
        """Whether the process answers."""
        return json_response({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Whether requests should be sent to this pod."""
        ready = self._services.ready()
        return json_response({"ready": ready}, 200 if ready else 503)

    async def models(self, _request: Request) -> Response:
        """The one model."""
        return json_response({"models": [self._plane.model.name]})

    async def metadata(self, request: Request) -> Response:
        """The model's tensors."""
        self._find(request)
        return json_bytes_response(encode_metadata(self._plane.metadata()))

    async def model_ready(self, request: Request) -> Response:
        """Whether the model is ready."""
        ready = self._services.ready()
        return json_response({"name": self._find(request), "ready": ready}, 200 if ready else 503)

    async def infer(self, request: Request) -> Response:
        """Predict; most requests do not come here, but take the fast path."""
        self._find(request)
        length = json_length(request.headers.get(HEADER))
        async with self._body(request) as body:
            call = InferCall(body, length)
            answer = await self._services.batcher.infer(call.decode, call.encode, len(body))
        return _binary_response(answer) if isinstance(answer, BinaryResponse) else json_bytes_response(answer)

    async def predict(self, request: Request) -> Response:
        """Predict by KServe's protocol V1."""
        self._find(request)
        async with self._body(request) as body:
            return json_bytes_response(await self._services.batcher.infer(lambda: self._v1.decode(body), kserve_v1.encode, len(body)))

    async def index(self, request: Request) -> Response:
        """The repository's models: one."""
        async with self._body(request) as body:
            only_ready = parse_object(body).get("ready") is True if body else False
        return json_response([entry._asdict() for entry in server_metadata.index(self._plane.model, self._services.ready(), only_ready)])

    async def load(self, request: Request) -> Response:
        """Refuse to load or unload."""
        self._find(request)
        raise NotPossible(server_metadata.ONE_VERSION)

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI description."""
        return json_response(self._description())

    async def docs(self, _request: Request) -> Response:
        """A page for people."""
        content = page(self._description(), self._plane.metadata(), self._plane.model.schema)
        return Response(content, headers={"Content-Security-Policy": POLICY}, media_type="text/html")

    async def feedback(self, request: Request) -> Response:
        """Receive labels; answered once they are durable."""
        self._find(request)
        accepted = repeated = 0
        async with self._body(request) as body:
            feedback = await self._services.pool.run(lambda: self._services.feedback.read(parse_object(body)))
            if feedback.accepted:
                acknowledgement = await self._services.forwarder.forward(feedback.accepted)
                accepted, repeated = acknowledgement["accepted"], acknowledgement["repeated"]
        self._services.metrics.labelled(accepted, repeated, len(feedback.rejected))
        return _feedback_response(feedback, accepted, repeated)

    def _description(self) -> dict[str, Any]:
        return describe(self._plane.metadata(), self._plane.model.schema, self._services.authentication)

    def _find(self, request: Request) -> str:
        name = str(request.path_params["model"])
        self._plane.find(name, request.path_params.get("version"))
        return name

    def _body(self, request: Request) -> AbstractAsyncContextManager[bytes]:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise InvalidRequest("compressed bodies are not taken: send the body without Content-Encoding")
        declared = request.headers.get("content-length", "")
        return self._services.admission.received(request.stream(), int(declared) if declared.isdecimal() else None)


def _feedback_response(feedback: Feedback, accepted: int, repeated: int) -> Response:
    rejected = [{"id": item.id, "error": item.error} for item in feedback.rejected]
    document: dict[str, Any] = {"accepted": accepted, "repeated": repeated, "rejected": rejected}
    if not feedback.accepted:
        return json_response({"error": feedback.rejected[0].error, **document}, 400)
    return json_response(document)


def _binary_response(answer: BinaryResponse) -> Response:
    return Response(answer.body, headers={HEADER: str(answer.json_length)}, media_type="application/octet-stream")
