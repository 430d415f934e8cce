"""What the fuzzers of the decoders share: the entry points of requests, and the rule that holds for each of them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from model_server.serve.errors import ServeError
from model_server.serve.grpc.messages import RpcCall
from model_server.serve.http.kserve_v1 import KServeV1Decoder
from model_server.serve.http.kserve_v1 import encode as encode_v1
from model_server.serve.http.oip_json import InferCall
from model_server.serve.inference.data_plane import DataPlane
from model_server.serve.inference.tensors import InferRequest
from model_server.serve.status_codes import TABLE

from tests.model_server.support.grpc_calls import packed, typed
from tests.model_server.support.request_bodies import HEADER, binary, flights, tensor

EntryPoint = Callable[[bytes, int], bool]


def entry_points(plane: DataPlane) -> Mapping[str, EntryPoint]:
    """Entry points by name; each takes a body and the length of its JSON, and returns whether the body was predicted.

    It raises where the server would fail: only errors that are the client's are allowed, and it must be possible to encode the answer.
    """

    def answered(decode: Callable[[], InferRequest], encode: Callable[[Any], Any]) -> bool:
        try:
            response, _ = plane.infer(decode())
            return bool(encode(response))
        except ServeError as error:
            assert TABLE[type(error)].http < 500  # noqa: PT017 (it need not be raised)
            orjson.dumps({"error": str(error)})
            return False

    def mixed(body: bytes, length: int | None) -> bool:
        call = InferCall(body, length)
        return answered(call.decode, call.encode)

    def by_grpc(body: bytes, _length: int) -> bool:
        call = RpcCall(body, plane.find)
        return answered(call.decode, call.encode)

    reader = KServeV1Decoder(plane.model.schema)
    return {
        "JSON": lambda body, _length: mixed(body, None),
        "bytes": mixed,
        "gRPC": by_grpc,
        "V1": lambda body, _length: answered(lambda: reader.decode(body), encode_v1),
    }


def good(rows: int = 2) -> Mapping[str, tuple[bytes, int]]:
    """A valid body for each entry point, with the length of its JSON."""
    request = flights(rows, carrier=tensor("carrier", "BYTES", ["AA", "Zürich"] * (rows // 2)))
    body, headers = binary({**request, "parameters": {"binary_data_output": True}})
    v1 = {"inputs": {item["name"]: item["data"] for item in request["inputs"]}}
    return {
        "JSON": (json.dumps(request).encode(), 0),
        "bytes": (body, int(headers[HEADER])),
        "gRPC": (packed(request).SerializeToString(), 0),
        "gRPC, typed": (typed(request).SerializeToString(), 0),
        "V1": (json.dumps(v1).encode(), 0),
    }
