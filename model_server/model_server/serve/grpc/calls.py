"""The calls of the Open Inference Protocol over gRPC, and of gRPC's health service: they adapt the data plane.

Not here: messages of inference (``messages.py``), authentication, tracing and measurement of calls (``server.py``).
"""

from collections.abc import Awaitable, Callable, Mapping

from grpc_health.v1 import health_pb2

from ..admission import TOO_MUCH
from ..errors import NotPossible, Overloaded, UnknownModel
from ..inference import server_metadata
from ..inference.tensors import TensorMetadata
from ..services import ServerServices
from .messages import RpcCall, parse
from .oip import open_inference_pb2 as oip

INFERENCE_SERVICE = "inference.GRPCInferenceService"
HEALTH_SERVICE = "grpc.health.v1.Health"
_QUIET_TICKS = 8
"""Iterations of the event loop without a further call, after which the calls that have come are computed together.

gRPC brings its calls one by one, over several iterations each. A lone call waits for some ten microseconds.
"""

Call = Callable[[bytes], Awaitable[bytes]]


class Calls:
    """A method for each call: from the message's bytes to those of the answer, so that long messages are read in threads."""

    def __init__(self, services: ServerServices) -> None:
        self._services = services
        self._plane = services.plane

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
        return {INFERENCE_SERVICE: inference, HEALTH_SERVICE: {"Check": self.health}}

    async def health(self, message: bytes) -> bytes:
        """Whether requests should be sent to this pod, by gRPC's own health service."""
        service = parse(health_pb2.HealthCheckRequest, message).service
        if service not in ("", INFERENCE_SERVICE):
            raise UnknownModel(f"there is no service '{service[:100]}' here: this server has '{INFERENCE_SERVICE}'")
        status = health_pb2.HealthCheckResponse.SERVING if self._services.ready() else health_pb2.HealthCheckResponse.NOT_SERVING
        return bytes(health_pb2.HealthCheckResponse(status=status).SerializeToString())

    async def live(self, _message: bytes) -> bytes:
        """Whether the process answers."""
        return oip.ServerLiveResponse(live=True).SerializeToString()

    async def ready(self, _message: bytes) -> bytes:
        """Whether requests should be sent to this pod."""
        return oip.ServerReadyResponse(ready=self._services.ready()).SerializeToString()

    async def model_ready(self, message: bytes) -> bytes:
        """Whether the model is ready."""
        request = parse(oip.ModelReadyRequest, message)
        self._plane.find(request.name, request.version or None)
        return oip.ModelReadyResponse(ready=self._services.ready()).SerializeToString()

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
        entries = server_metadata.index(self._plane.model, self._services.ready(), request.ready)
        models = [oip.RepositoryIndexResponse.ModelIndex(**entry._asdict()) for entry in entries]
        return oip.RepositoryIndexResponse(models=models).SerializeToString()

    async def load(self, _message: bytes) -> bytes:
        """Refuse to load or unload; the messages, which Triton and KServe have different ones of, are not read."""
        raise NotPossible(server_metadata.ONE_VERSION)

    async def infer(self, message: bytes) -> bytes:
        """Predict."""
        if not self._services.admission.try_reserve(len(message)):
            raise Overloaded(TOO_MUCH)
        try:
            call = RpcCall(message, self._plane.find)
            return await self._services.batcher.infer(call.decode, call.encode, len(message), _QUIET_TICKS)
        finally:
            self._services.admission.release(len(message))


def _tensor_metadata(tensor: TensorMetadata) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)


def _parameter(fact: str | float) -> oip.InferParameter:
    return oip.InferParameter(string_param=fact) if isinstance(fact, str) else oip.InferParameter(double_param=fact)
