"""JSON of the Open Inference Protocol and of feedback, read and written.

Not here: HTTP, and checks that need the model's schema.
"""

import json
import math
from typing import Any

import orjson

from .errors import InvalidRequest
from .tensors import DATATYPES, InferRequest, InferResponse, ModelMetadata, OutputTensor, Tensor, TensorMetadata


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


def decode_infer(body: bytes) -> InferRequest:
    """Read an inference request.

    Raises:
        InvalidRequest: the body is no inference request.

    """
    document = parse_object(body)
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise InvalidRequest("'inputs' must be a list of tensors, one for each column or one matrix")
    identity = document.get("id")
    if identity is not None and not isinstance(identity, str):
        raise InvalidRequest("'id' must be a string")
    return InferRequest(tuple(_tensor(item, place) for place, item in enumerate(inputs)), identity, _wanted(document.get("outputs")))


def encode_infer(response: InferResponse) -> bytes:
    """Write an inference response."""
    document: dict[str, Any] = {"model_name": response.model_name, "model_version": response.model_version}
    if response.id is not None:
        document["id"] = response.id
    document["outputs"] = [_output(tensor) for tensor in response.outputs]
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


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


def _tensor(item: Any, place: int) -> Tensor:
    if not isinstance(item, dict):
        raise InvalidRequest(f"inputs[{place}] must be a tensor: an object with name, shape, datatype and data")
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"inputs[{place}] has no name: name the column that it holds")
    if len(name) > 200:
        raise InvalidRequest(f"the name of inputs[{place}] is longer than 200 characters: name a column")
    datatype, data = item.get("datatype"), item.get("data")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise InvalidRequest(f"tensor '{name}' needs a datatype: one of {', '.join(sorted(DATATYPES))}")
    if not isinstance(data, list):
        raise InvalidRequest(f"tensor '{name}' needs data: a list of values")
    return Tensor(name, datatype, _shape(name, item.get("shape")), data)


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or any(type(size) is not int or size < 0 for size in shape):
        raise InvalidRequest(f"tensor '{name}' needs a shape: [rows] or [rows, 1] for a column, [rows, features] for a matrix")
    return tuple(shape)


def _wanted(outputs: Any) -> tuple[str, ...] | None:
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or any(not isinstance(item, dict) or not isinstance(item.get("name"), str) for item in outputs):
        raise InvalidRequest("'outputs' must be a list of objects with the name of an output tensor")
    return tuple(dict.fromkeys(item["name"] for item in outputs))


def _output(tensor: OutputTensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype, "data": tensor.data}


def _tensor_metadata(tensor: TensorMetadata) -> dict[str, Any]:
    document: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if tensor.parameters:
        document["parameters"] = dict(tensor.parameters)
    return document
