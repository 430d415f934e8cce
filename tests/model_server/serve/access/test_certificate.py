"""TLS: the pair of a mounted Secret, and what happens when it is changed."""

import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import pytest
from mlmodel_contract.environment import PATH_STORE, PATH_TERMINATION, PATH_TLS
from mlmodel_contract.manifest import TLS
from model_server.serve.grpc.oip import open_inference_pb2 as oip

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.grpc_calls import SERVICE, typed
from tests.model_server.support.mounted_secrets import Pair, mount, pair
from tests.model_server.support.request_bodies import flights, ids

pytestmark = pytest.mark.slow

MOUNTED = TLS.model_validate({"secret": "x-tls"})


@contextmanager
def served(first: Pair) -> Iterator[ServerPod]:
    """A pod whose server speaks TLS; its client trusts the first pair."""
    with pod(late_flights(), tls=MOUNTED) as made:
        mount(made.path(PATH_TLS), first.files)
        made.http = httpx.Client(verify=first.trusted(), timeout=30)
        made.serve()
        yield made


def presented(made: ServerPod) -> str:
    """The certificate that a new connection gets, by a client that names no server."""
    return ssl.get_server_certificate(("127.0.0.1", httpx.URL(made.url).port or 0))


def rpc(made: ServerPod, trusted: Pair) -> oip.ModelInferResponse:
    """Predict by gRPC on a new connection."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    with grpc.secure_channel(made.grpc_address, grpc.ssl_channel_credentials(trusted.chain), options) as channel:
        method = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=oip.ModelInferRequest.SerializeToString,
            response_deserializer=oip.ModelInferResponse.FromString,
        )
        answer: oip.ModelInferResponse = method(typed(flights(1)), timeout=30)
        return answer


def test_both_protocols_speak_tls_alone_and_from_version_1_2() -> None:
    first = pair()
    with served(first) as made:
        assert made.infer(flights(2)).status_code == 200
        assert rpc(made, first).model_version == "x-v1"
        assert made.served("certificate_expiry_timestamp_seconds") == first.expires
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(made.url.replace("https", "http"))
        with grpc.insecure_channel(made.grpc_address) as insecure:
            live: Any = insecure.unary_unary(f"/{SERVICE}/ServerLive")
            with pytest.raises(grpc.RpcError):
                live(b"", timeout=5)
        assert httpx.get(made.url, verify=_of_version(first, "TLSv1_2")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(made.url, verify=_of_version(first, "TLSv1_1"))


def _of_version(trusted: Pair, version: str) -> ssl.SSLContext:
    """A client's context of one version of TLS, with what old ones needed."""
    context = trusted.trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    return context


def test_a_pair_that_rotates_is_for_new_connections_and_ends_no_open_one() -> None:
    first, second = pair(), pair(days=20)
    with served(first) as made, httpx.Client(verify=first.trusted()) as keep_alive, _half_sent(made, first) as (connection, rest):
        assert keep_alive.post(f"{made.model_url}/infer", json=flights(1)).status_code == 200
        mount(made.path(PATH_TLS), second.files)
        poll(lambda: presented(made) == second.chain.decode(), "the second certificate")
        assert rpc(made, second).model_version == "x-v1"
        connection.sendall(rest)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        assert keep_alive.post(f"{made.model_url}/infer", json=flights(1)).status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(made.url, verify=first.trusted())
        with pytest.raises(grpc.RpcError):
            rpc(made, first)
        assert made.served("certificate_expiry_timestamp_seconds") == second.expires
        assert made.served("reloads_total", what="tls", outcome="taken") == 1


@contextmanager
def _half_sent(made: ServerPod, trusted: Pair) -> Iterator[tuple[ssl.SSLSocket, bytes]]:
    """A connection with half a request, and the other half."""
    body = httpx.Request("POST", made.url, json=flights(1)).content
    head = f"POST /v2/models/x/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", httpx.URL(made.url).port or 0), timeout=20) as tcp,
        trusted.trusted().wrap_socket(tcp, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(head + body[:20])
        yield connection, body[20:]


def test_a_broken_pair_changes_nothing_and_is_logged_once() -> None:
    first, second, third = pair(), pair(), pair()
    with served(first) as made:
        broken = {"tls.crt": second.chain, "tls.key": third.key}
        mount(made.path(PATH_TLS), broken)
        poll(lambda: made.served("reloads_total", what="tls", outcome="refused") == 1, "the refusal")
        assert presented(made) == first.chain.decode()
        assert rpc(made, first).model_version == "x-v1"
        mount(made.path(PATH_TLS), second.files)
        poll(lambda: presented(made) == second.chain.decode(), "the second certificate")
        assert made.served("reloads_total", what="tls", outcome="refused") == 1
        assert made.log("serve").count("the Secret 'x-tls' of serving.tls") == 1


@pytest.mark.parametrize(
    ("files", "part"),
    [
        pytest.param({}, "has no tls.crt", id="no Secret"),
        pytest.param({"tls.crt": pair().chain}, "has no tls.key", id="no key"),
        pytest.param({"tls.crt": pair().chain, "tls.key": pair().key}, "KEY_VALUES_MISMATCH", id="another key"),
        pytest.param({"tls.crt": b"", "tls.key": b""}, "are no certificate and its key", id="empty"),
        pytest.param({"tls.crt": b"\xff\x00" * 99, "tls.key": pair().key}, "are no certificate and its key", id="no PEM"),
    ],
)
def test_a_server_without_a_good_pair_does_not_start_and_says_why(files: dict[str, bytes], part: str) -> None:
    with pod(late_flights(), tls=MOUNTED) as made:
        mount(made.path(PATH_TLS), files)
        assert made.start("serve").wait(60) == 1
        message = made.path(PATH_TERMINATION).read_text()
        assert "the Secret 'x-tls' of serving.tls" in message
        assert part in message
        assert "\n" not in message


def test_an_error_with_a_closing_answer_reaches_the_client() -> None:
    first = pair()
    with served(first) as made, _half_sent(made, first) as (connection, rest):
        connection.sendall(rest + b"this is no HTTP\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answers.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 400" in answers


def test_labels_of_files_come_in_without_a_certificate() -> None:
    first = pair()
    with served(first) as made:
        made.monitor()
        identities = ids(made.infer(flights(2)))
        folder = made.path(PATH_STORE) / "x-store/models/x/feedback"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("\n".join(["id,truth", *(f"{identity},true" for identity in identities), ""]))
        poll(lambda: made.monitored("labels_total", outcome="scored") == 2, "the labels")
