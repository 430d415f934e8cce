"""Calls a model that speaks TLS by REST and by gRPC, each time over a new connection, and prints as JSON what came of it.

The argument is a document: `host` and `model`, `trusted`, a certificate in PEM, and `callers`, the headers of each by its name.
The answer has `got`, by the caller's name the status of HTTP (0 without an answer) and the code of gRPC; `without_tls`, the same
without TLS of what needs no credentials; and `certificates`, those that REST and gRPC show, in PEM (empty without an answer).
"""

import json
import ssl
import sys
from collections.abc import Mapping
from typing import Any

import grpc
import httpx

from tests.node.in_pods.openloop import document, message

_TIMEOUT_SECONDS = 10
_SERVICE = "/inference.GRPCInferenceService"
_REST, _GRPC = 443, 8081


def _rest(asked: Mapping[str, Any], headers: Mapping[str, str]) -> int:
    context = ssl.create_default_context(cadata=asked["trusted"])
    url = f"https://{asked['host']}/v2/models/{asked['model']}/infer"
    try:
        return httpx.post(url, json=document(), headers=headers, verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def _rpc(asked: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    metadata = [(name.lower(), value) for name, value in headers.items()]
    credentials = grpc.ssl_channel_credentials(asked["trusted"].encode())
    with grpc.secure_channel(f"{asked['host']}:{_GRPC}", credentials) as channel:
        return _code(channel, "ModelInfer", message(asked["model"]).SerializeToString(), metadata)


def _code(channel: grpc.Channel, method: str, request: bytes, metadata: list[tuple[str, str]]) -> str:
    call: Any = channel.unary_unary(f"{_SERVICE}/{method}")
    try:
        call(request, metadata=metadata, timeout=_TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def _rest_without_tls(host: str) -> int:
    try:
        return httpx.get(f"http://{host}:{_REST}/v2/health/live", timeout=_TIMEOUT_SECONDS, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def _rpc_without_tls(host: str) -> str:
    with grpc.insecure_channel(f"{host}:{_GRPC}") as channel:
        return _code(channel, "ServerLive", b"", [])


def _certificate(host: str, port: int) -> str:
    try:
        return ssl.get_server_certificate((host, port), timeout=_TIMEOUT_SECONDS)
    except OSError:
        return ""


def main() -> None:
    """Call and print."""
    asked = json.loads(sys.argv[1])
    result = {
        "got": {name: [_rest(asked, headers), _rpc(asked, headers)] for name, headers in asked["callers"].items()},
        "without_tls": [_rest_without_tls(asked["host"]), _rpc_without_tls(asked["host"])],
        "certificates": [_certificate(asked["host"], port) for port in (_REST, _GRPC)],
    }
    print(json.dumps(result))  # noqa: T201 (its output)


if __name__ == "__main__":
    main()
