"""How a server starts and ends: refused bundles, overload, and the drain."""

import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from mlmodel_contract.environment import PATH_BUNDLE, PATH_PREDICTION_KEY, PATH_TERMINATION
from mlmodel_contract.version import Artifact

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import flights

pytestmark = pytest.mark.slow


def test_sigterm_ends_the_server_once_all_requests_are_answered() -> None:
    with pod(late_flights()) as made:
        server = made.serve()
        body = json.dumps(flights(2)).encode()
        with _connected(made) as slow:
            head = f"POST /v2/models/x/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            slow.sendall(head.encode() + body[:20])
            poll(lambda: made.served("requests_in_flight") == 1, "the request in flight")
            server.send_signal(signal.SIGTERM)
            poll(lambda: made.http.get(f"{made.url}/v2/health/ready").status_code == 503, "the drain")
            new = httpx.post(f"{made.model_url}/infer", json=flights(1))
            assert (new.status_code, new.headers["Connection"]) == (200, "close")
            assert server.poll() is None
            slow.sendall(body[20:])
            answer = _answer(slow)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer
        assert server.wait(10) == 0


def test_sigterm_ends_an_idle_server_soon_and_a_stuck_request_cannot_hold_it() -> None:
    with pod(late_flights(), drain="2s") as made:
        server = made.serve()
        with _connected(made) as stuck:
            stuck.sendall(b"POST /v2/models/x/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            poll(lambda: made.served("requests_in_flight") == 1, "the request in flight")
            server.send_signal(signal.SIGTERM)
            assert server.wait(10) == 0


def test_overload_is_shed_and_the_rest_served() -> None:
    with pod(late_flights()) as made:
        made.environment |= {"MLMODEL_MAX_REQUESTS": "2", "MLMODEL_THREADS": "1"}
        made.serve()
        request = httpx.Request("POST", made.model_url, json=flights(20_000)).content
        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(lambda _: made.infer(request), range(24)))
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 429}
        assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 429)
        assert made.infer(flights(1)).status_code == 200


def _changed_golden(made: ServerPod) -> None:
    """A prediction is another one, and all digests are right."""
    folder = made.path(PATH_BUNDLE)
    golden = json.loads((folder / "golden.json").read_text())
    golden["predictions"][0] = [0.123, 0.877]
    (folder / "golden.json").write_text(json.dumps(golden))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["golden.json"] = _digest(folder / "golden.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    artifact = Artifact(uri=made.document.artifact.uri, digest=_digest(folder / "manifest.json"))
    made.document = made.document.model_copy(update={"artifact": artifact})


def _digest(file: Path) -> str:
    return f"sha256:{sha256(file.read_bytes()).hexdigest()}"


def _changed_model(made: ServerPod) -> None:
    (made.path(PATH_BUNDLE) / "model.onnx").write_bytes(b"something else")


def _changed_manifest(made: ServerPod) -> None:
    file = made.path(PATH_BUNDLE) / "manifest.json"
    file.write_text(file.read_text() + " ")


def _no_key(made: ServerPod) -> None:
    made.path(PATH_PREDICTION_KEY).unlink()


def _short_key(made: ServerPod) -> None:
    made.path(PATH_PREDICTION_KEY).write_bytes(b"short")


def _bad_limit(made: ServerPod) -> None:
    made.environment["MLMODEL_MAX_BODY_BYTES"] = "8Mi"


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (_changed_golden, "golden row 0"),
        (_changed_model, "model.onnx"),
        (_changed_manifest, "digest"),
        (_no_key, "key of prediction ids"),
        (_short_key, "has 5 bytes"),
        (_bad_limit, "MLMODEL_MAX_BODY_BYTES is '8Mi'"),
    ],
)
def test_what_must_not_be_served_is_refused_with_the_reason(spoil: Callable[[ServerPod], None], part: str) -> None:
    with pod(late_flights()) as made:
        spoil(made)
        assert made.start("serve").wait(60) == 1
        assert part in made.path(PATH_TERMINATION).read_text()


def _connected(made: ServerPod) -> socket.socket:
    url = httpx.URL(made.url)
    return socket.create_connection((url.host, url.port or 80), timeout=20)


def _answer(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)
