"""Calls by gRPC to the pods of the tests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from model_server.serve.grpc.oip import open_inference_pb2 as oip

from tests.model_server.support.request_bodies import Json, raw

SERVICE = "inference.GRPCInferenceService"
FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
Caller = Callable[..., Any]


@contextmanager
def caller(address: str) -> Iterator[Caller]:
    """Call by name: ``call("ModelInfer", request)``."""
    with grpc.insecure_channel(address) as channel:

        def call(name: str, request: Any = None, service: str = SERVICE, kind: Any = None) -> Any:
            method = channel.unary_unary(
                f"/{service}/{name}",
                request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
                response_deserializer=(kind or getattr(oip, f"{name}Response")).FromString,
            )
            return method(request if request is not None else getattr(oip, f"{name}Request")(), timeout=30)

        yield call


def typed(request: Json, **fields: Any) -> oip.ModelInferRequest:
    """A request of JSON as a message, with the values in the fields of their datatypes."""
    message = oip.ModelInferRequest(model_name="x", **fields)
    for item in request["inputs"]:
        tensor = message.inputs.add(name=item["name"], datatype=item["datatype"], shape=item["shape"])
        values = [value.encode() for value in item["data"]] if item["datatype"] == "BYTES" else item["data"]
        getattr(tensor.contents, FIELDS[item["datatype"]]).extend(values)
    return message


def packed(request: Json, **fields: Any) -> oip.ModelInferRequest:
    """A request of JSON as a message, with raw values."""
    message = oip.ModelInferRequest(model_name="x", **fields)
    for item in request["inputs"]:
        message.inputs.add(name=item["name"], datatype=item["datatype"], shape=item["shape"])
        message.raw_input_contents.append(raw(item["datatype"], item["data"]))
    return message


def values(response: oip.ModelInferResponse) -> dict[str, Sequence[Any]]:
    """The outputs by name: lists, or bytes where they came raw."""
    if response.raw_output_contents:
        return {item.name: content for item, content in zip(response.outputs, response.raw_output_contents, strict=True)}
    found = {item.name: list(getattr(item.contents, FIELDS[item.datatype])) for item in response.outputs}
    return {name: [item.decode() if isinstance(item, bytes) else item for item in items] for name, items in found.items()}
