"""Messages of the Open Inference Protocol over gRPC, read and written as the data plane's requests and responses.

Values come and go raw or in the field of their datatype; an answer has the form of its request. Not here: calls and their statuses.
"""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from ..errors import InvalidRequest
from ..inference.raw_tensors import read_raw, read_text, write_raw
from ..inference.response import InferResponse
from ..inference.tensors import InferRequest, OutputTensor, Tensor, check_content_type, check_head
from .oip import open_inference_pb2 as oip

_FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class RpcCall:
    """A ModelInfer that is read later, perhaps in another thread, and its answer; ``find`` checks the model's name and version."""

    def __init__(self, message: bytes, find: Callable[[str, str | None], None]) -> None:
        self._message = message
        self._find = find
        self._raw = False

    def decode(self) -> InferRequest:
        """Read the request.

        Raises:
            InvalidRequest: the message is no inference request.
            UnknownModel: it is for another model.

        """
        request = parse(oip.ModelInferRequest, self._message)
        self._find(request.model_name, request.model_version or None)
        self._raw = bool(request.raw_input_contents)
        if not request.inputs:
            raise InvalidRequest("the request has no inputs: send a tensor for each column, or one matrix")
        _check_parameters("the request", request)
        wanted = tuple(dict.fromkeys([output.name for output in request.outputs]))
        return InferRequest(_raw_tensors(request) if self._raw else _typed_tensors(request), request.id or None, wanted or None)

    def encode(self, response: InferResponse) -> bytes:
        """Write the response."""
        message = oip.ModelInferResponse(model_name=response.model_name, model_version=response.model_version, id=response.id or "")
        for tensor in response.outputs:
            output = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            if self._raw:
                message.raw_output_contents.append(write_raw(tensor))
            else:
                getattr(output.contents, _FIELDS[tensor.datatype]).extend(_typed(tensor))
        return message.SerializeToString()


def parse(kind: Any, message: bytes) -> Any:
    """Parse a message.

    Raises:
        InvalidRequest: it is none of that kind.

    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise InvalidRequest(f"the message is no {kind.DESCRIPTOR.name}: {error}") from error


def _raw_tensors(request: oip.ModelInferRequest) -> tuple[Tensor, ...]:
    if len(request.raw_input_contents) != len(request.inputs):
        raise InvalidRequest(
            f"raw_input_contents has {len(request.raw_input_contents)} entries for {len(request.inputs)} inputs: send one for each"
        )
    tensors = []
    for index, (item, raw) in enumerate(zip(request.inputs, request.raw_input_contents, strict=True)):
        name, datatype, shape = _head(index, item)
        if item.HasField("contents"):
            raise InvalidRequest(f"tensor '{name}' has both contents and raw_input_contents: send one of them")
        tensors.append(Tensor(name, datatype, shape, read_raw(name, datatype, shape, raw)))
    return tuple(tensors)


def _typed_tensors(request: oip.ModelInferRequest) -> tuple[Tensor, ...]:
    return tuple([_typed_tensor(index, item) for index, item in enumerate(request.inputs)])


def _typed_tensor(index: int, item: oip.ModelInferRequest.InferInputTensor) -> Tensor:
    name, datatype, shape = _head(index, item)
    field = _FIELDS.get(datatype)
    if field is None:
        raise InvalidRequest(f"tensor '{name}' is {datatype}, for which contents have no field: send raw_input_contents")
    values: list[Any] = list(getattr(item.contents, field))
    if not values and 0 not in shape:
        raise InvalidRequest(f"tensor '{name}' has no values in {field}, where {datatype} is sent")
    if datatype == "BYTES":
        values = [read_text(name, row, value) for row, value in enumerate(values)]
    return Tensor(name, datatype, shape, values)


def _head(index: int, item: oip.ModelInferRequest.InferInputTensor) -> tuple[str, str, tuple[int, ...]]:
    _check_parameters(f"tensor '{item.name[:100]}'", item)
    return check_head(index, item.name, item.datatype, list(item.shape))


def _check_parameters(whose: str, item: oip.ModelInferRequest | oip.ModelInferRequest.InferInputTensor) -> None:
    if item.parameters and "content_type" in item.parameters:
        check_content_type(whose, item.parameters["content_type"].string_param)


def _typed(tensor: OutputTensor) -> Any:
    return [text.encode() for text in tensor.data] if tensor.datatype == "BYTES" else tensor.data
