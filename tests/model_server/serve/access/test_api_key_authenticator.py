"""Authentication by API key, over REST and gRPC."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from mlmodel_contract.environment import PATH_API_KEYS, PATH_STORE, PATH_TERMINATION, PORT_METRICS_SERVER
from mlmodel_contract.manifest import Authentication
from model_server.serve.grpc.oip import open_inference_pb2 as oip

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.grpc_calls import SERVICE, typed
from tests.model_server.support.mounted_secrets import mount
from tests.model_server.support.request_bodies import flights, ids

pytestmark = pytest.mark.slow

BY_KEY = Authentication.model_validate({"secret": {"name": "x-keys", "key": "callers"}})
KEY, OTHER = "a-key-of-some-length-1", "a-key-of-some-length-2"


def mount_keys(made: ServerPod, *keys: str) -> None:
    folder, _, name = PATH_API_KEYS.rpartition("/")
    mount(made.path(folder), {name: "\n".join(keys).encode()})


@pytest.fixture(scope="module")
def served() -> Iterator[ServerPod]:
    with pod(late_flights(), authentication=BY_KEY) as made:
        mount_keys(made, KEY)
        made.serve()
        yield made


def infer(made: ServerPod, **headers: str) -> httpx.Response:
    return made.http.post(f"{made.model_url}/infer", json=flights(1), headers=headers)


@contextmanager
def refused(code: grpc.StatusCode) -> Iterator[None]:
    with pytest.raises(grpc.RpcError) as error:
        yield
    assert error.value.code() is code


def rpc(made: ServerPod, name: str, request: Any, *metadata: tuple[str, str]) -> bytes:
    with grpc.insecure_channel(made.grpc_address) as channel:
        return bytes(channel.unary_unary(f"/{name}")(request.SerializeToString(), metadata=metadata, timeout=30))


GOOD = [{"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}, {"X-API-Key": KEY}]


@pytest.mark.parametrize("headers", GOOD)
def test_who_has_a_key_may_call(served: ServerPod, headers: dict[str, str]) -> None:
    assert infer(served, **headers).status_code == 200
    assert served.http.get(served.model_url, headers=headers).status_code == 200
    v1 = {"instances": [{item["name"]: item["data"][0] for item in flights(1)["inputs"]}]}
    assert served.http.post(f"{served.url}/v1/models/x:predict", json=v1, headers=headers).status_code == 200
    metadata = [(name.lower(), value) for name, value in headers.items()]
    assert oip.ModelInferResponse.FromString(rpc(served, f"{SERVICE}/ModelInfer", typed(flights(1)), *metadata)).model_name == "x"


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        pytest.param({}, "send the header Authorization", id="nothing"),
        pytest.param({"Authorization": f"Bearer {KEY}2"}, "none of this model's", id="another key"),
        pytest.param({"Authorization": "Bearer"}, "must be 'Bearer'", id="no key"),
        pytest.param({"Authorization": f"Basic {KEY}"}, "must be 'Bearer'", id="another scheme"),
        pytest.param({"Authorization": "Bearer " + "a" * 17_000}, "longer than 16384 bytes", id="a huge one"),
        pytest.param({"X-API-Key": "\xff" * 99}, "none of this model's", id="no text"),
        pytest.param({"X-API-Key": ""}, "none of this model's", id="an empty one"),
        pytest.param({"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"}, "send one of them", id="both headers"),
    ],
)
def test_others_are_refused_by_rest(served: ServerPod, headers: dict[str, str], part: str) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    for method, path in (
        ("POST", "/v2/models/x/infer"),
        ("POST", "/v1/models/x:predict"),
        ("POST", "/v2/models/x/feedback"),
        ("GET", "/v2"),
    ):
        answer = served.http.request(method, f"{served.url}{path}", headers=raw, content=b"{}" if method == "POST" else None)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="mlmodel"')
        assert part in answer.json()["error"]
    assert served.served("requests_total", endpoint="authentication", code="401") > 0


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param((), id="nothing"),
        pytest.param((("authorization", "Bearer something-else-of-length"),), id="another key"),
        pytest.param((("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {OTHER}")), id="twice"),
        pytest.param((("x-api-key", KEY), ("x-api-key", KEY)), id="twice the same"),
    ],
)
@pytest.mark.parametrize("name", ["ModelInfer", "ModelMetadata", "ServerMetadata", "RepositoryIndex"])
def test_others_are_refused_by_grpc(served: ServerPod, metadata: tuple[tuple[str, str], ...], name: str) -> None:
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        rpc(served, f"{SERVICE}/{name}", getattr(oip, f"{name}Request")(), *metadata)


def test_a_header_that_is_there_twice_is_refused(served: ServerPod) -> None:
    for name in ("Authorization", "X-API-Key"):
        answer = served.http.post(f"{served.model_url}/infer", json=flights(1), headers=[(name, f"Bearer {KEY}"), (name, f"Bearer {KEY}")])
        assert (answer.status_code, answer.json()["error"]) == (400, f"the header {name.lower()} is there twice: send it once")


def test_health_and_metrics_are_open(served: ServerPod) -> None:
    for path in ("/", "/v2/health/live", "/v2/health/ready"):
        assert served.http.get(served.url + path).status_code == 200
    assert served.http.get(served.url + "/v2/health/../models").status_code == 401
    for path in ("//", "/v2/health/live/", "/v2/health/live%2f..%2f..%2fmodels"):
        assert served.http.get(served.url + path).status_code != 200
    assert served.metric(PORT_METRICS_SERVER, "mlmodel_server_model_info") == 1
    for name in ("ServerLive", "ServerReady"):
        rpc(served, f"{SERVICE}/{name}", getattr(oip, f"{name}Request")())
    rpc(served, "grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest())


def test_a_refusal_waits_for_no_body(served: ServerPod) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(served.url).port or 0), timeout=20) as connection:
        connection.sendall(b"POST /v2/models/x/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n{")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")


def test_keys_rotate_without_a_refused_call_and_a_broken_file_changes_nothing() -> None:
    with pod(late_flights(), authentication=BY_KEY) as made:
        mount_keys(made, KEY)
        made.serve()
        mount_keys(made, KEY, OTHER)
        poll(lambda: infer(made, **{"X-API-Key": OTHER}).status_code == 200, "the second key")
        assert infer(made, **{"X-API-Key": KEY}).status_code == 200
        mount_keys(made, OTHER)
        poll(lambda: infer(made, **{"X-API-Key": KEY}).status_code == 401, "the end of the first key")
        mount_keys(made, "short")
        poll(lambda: made.served("reloads_total", what="authentication", outcome="refused") == 1, "the refusal")
        assert infer(made, **{"X-API-Key": OTHER}).status_code == 200
        assert infer(made, **{"X-API-Key": "short"}).status_code == 401
        assert KEY not in made.log("serve")


@pytest.mark.parametrize("keys", [None, (), ("",), (KEY, "short")])
def test_a_server_without_good_keys_does_not_start_and_says_why(keys: tuple[str, ...] | None) -> None:
    with pod(late_flights(), authentication=BY_KEY) as made:
        if keys is not None:
            mount_keys(made, *keys)
        assert made.start("serve").wait(60) == 1
        message = made.path(PATH_TERMINATION).read_text()
        assert message.startswith("the Secret's key 'x-keys/callers' of serving.authentication")
        assert KEY not in message


def test_labels_of_files_need_no_key(served: ServerPod) -> None:
    served.monitor()
    identities = ids(infer(served, **{"X-API-Key": KEY}))
    folder = served.path(PATH_STORE) / "x-store/models/x/feedback"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(f"id,truth\n{identities[0]},true\n")
    poll(lambda: served.monitored("labels_total", outcome="scored") == 1, "the label")
