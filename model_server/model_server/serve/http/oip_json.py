"""JSON of the Open Inference Protocol and of feedback, read and written.

Not here: HTTP, and checks that need the model's schema.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from ..errors import InvalidRequest
from ..inference.raw_tensors import read_raw
from ..inference.response import InferResponse
from ..inference.tensors import InferRequest, ModelMetadata, Tensor, TensorMetadata, check_content_type, check_head
from .binary_tensors import HEADER, SIZE, BinaryResponse, RawData, split


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; ``NaN`` is taken, as Python's own ``json`` writes it.

    Raises:
        InvalidRequest: the body is no JSON object.

    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in body:
            raise InvalidRequest(f"the body is no valid JSON: {error}") from error
        document = _parse_with_nan(body)
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    return document


def decode_infer(body: bytes, json_length: int | None = None) -> InferRequest:
    """Read an inference request; after ``json_length`` bytes, if given, binary tensor data follow.

    Raises:
        InvalidRequest: the body is no inference request.

    """
    raw = None if json_length is None else RawData(body, json_length)
    document = parse_object(body if raw is None else raw.json)
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise InvalidRequest("'inputs' must be a list of tensors, one for each column or one matrix")
    identity = document.get("id")
    if identity is not None and not isinstance(identity, str):
        raise InvalidRequest("'id' must be a string")
    tensors = tuple([_tensor(item, index, raw) for index, item in enumerate(inputs)])
    if raw is not None:
        raw.end()
    outputs = document.get("outputs")
    return InferRequest(tensors, identity, _wanted(outputs), _binary(outputs, _parameters("the request", document)))


def encode_infer(response: InferResponse) -> bytes:
    """Write an inference response as JSON."""
    return response.json()


def encoder(request: InferRequest) -> Callable[[InferResponse], bytes | BinaryResponse]:
    """Return what writes the response in the form that the request asks for."""
    return partial(_encode_mixed, request.binary) if request.binary else encode_infer


class InferCall:
    """A request that is read later, perhaps in another thread, and its response in the form that it asks for."""

    def __init__(self, body: bytes, json_length: int | None = None) -> None:
        self._body = body
        self._json_length = json_length

    def decode(self) -> InferRequest:
        """Read the request; the errors are those of ``decode_infer``."""
        request = decode_infer(self._body, self._json_length)
        self._encode = encoder(request)
        return request

    def encode(self, response: InferResponse) -> bytes | BinaryResponse:
        """Write the response."""
        return self._encode(response)


def encode_metadata(metadata: ModelMetadata) -> bytes:
    """Write the model's metadata."""
    return orjson.dumps(
        {
            "name": metadata.name,
            "versions": metadata.versions,
            "platform": metadata.platform,
            "inputs": [_tensor_metadata(tensor) for tensor in metadata.inputs],
            "outputs": [_tensor_metadata(tensor) for tensor in metadata.outputs],
            "parameters": dict(metadata.parameters),
        }
    )


def _parse_with_nan(body: bytes) -> Any:
    try:
        document = json.loads(body, parse_constant=_constant)
        orjson.dumps(document)  # refuses what JSON cannot hold: lone surrogates and numbers beyond 64 bits
    except (ValueError, TypeError, RecursionError) as error:  # TypeError: orjson's encoding error is one
        raise InvalidRequest(f"the body is no valid JSON: {error}") from error
    return document


def _constant(name: str) -> float:
    if name == "NaN":
        return math.nan
    raise ValueError(f"{name} is no JSON number")


def _tensor(item: Any, index: int, raw: RawData | None) -> Tensor:
    if not isinstance(item, dict):
        raise InvalidRequest(f"inputs[{index}] must be a tensor: an object with name, shape, datatype and data")
    name, datatype, shape = check_head(index, item.get("name"), item.get("datatype"), item.get("shape"))
    return Tensor(name, datatype, shape, _data(item, name, datatype, shape, raw))


def _data(item: dict[str, Any], name: str, datatype: str, shape: tuple[int, ...], raw: RawData | None) -> Any:
    data = item.get("data")
    if "parameters" in item:
        parameters = _parameters(f"tensor '{name}'", item)
        if SIZE in parameters:
            if data is not None:
                raise InvalidRequest(f"tensor '{name}' has both data and {SIZE}: send one of them")
            if raw is None:
                raise InvalidRequest(f"tensor '{name}' has a {SIZE}: tell the length of the JSON by the header {HEADER}")
            return read_raw(name, datatype, shape, raw.read(name, parameters[SIZE]))
    if not isinstance(data, list):
        raise InvalidRequest(f"tensor '{name}' needs data: a list of values")
    return data


def _parameters(whose: str, item: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters; those that are not known are passed over, as the protocol wants it."""
    parameters = item.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidRequest(f"the parameters of {whose} must be an object")
    if "content_type" in parameters:
        check_content_type(whose, parameters["content_type"])
    return parameters


def _wanted(outputs: Any) -> tuple[str, ...] | None:
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or any(not isinstance(item, dict) or not isinstance(item.get("name"), str) for item in outputs):
        raise InvalidRequest("'outputs' must be a list of objects with the name of an output tensor")
    return tuple(dict.fromkeys(item["name"] for item in outputs))


def _binary(outputs: Any, parameters: dict[str, Any]) -> bool | frozenset[str]:
    """Tell which outputs are wanted as bytes, True if all are; ``outputs`` were checked."""
    every = parameters.get("binary_data_output") is True
    if not outputs:
        return every
    asked = {item["name"]: _parameters(f"output '{item['name'][:100]}'", item).get("binary_data", every) for item in outputs}
    return frozenset(name for name, binary in asked.items() if binary is True)


def _encode_mixed(wanted: bool | frozenset[str], response: InferResponse) -> BinaryResponse:
    documents, parts = split(response.outputs, wanted)
    header = orjson.dumps(
        {
            "model_name": response.model_name,
            "model_version": response.model_version,
            **({} if response.id is None else {"id": response.id}),
            "outputs": documents,
        }
    )
    return BinaryResponse(b"".join([header, *parts]), len(header))


def _tensor_metadata(tensor: TensorMetadata) -> dict[str, Any]:
    document: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if tensor.parameters:
        document["parameters"] = dict(tensor.parameters)
    return document
