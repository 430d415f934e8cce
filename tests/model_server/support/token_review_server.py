"""A fake API server that reviews tokens."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Thread
from typing import Any

from mlmodel_contract.environment import PATH_TOKEN

from devtools.pods import ServerPod
from tests.model_server.support.mounted_secrets import Pair, pair


@dataclass
class Api:
    """The fake's state: ``users`` by valid token, of whom ``allowed`` may call. Without ``rights`` or when ``down``: errors."""

    users: dict[str, str] = field(default_factory=dict)
    audiences: list[str] = field(default_factory=lambda: ["mlmodel.dev"])
    allowed: set[str] = field(default_factory=set)
    rights: bool = True
    down: bool = False
    reviewed: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, path: str, spec: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.down:
            return 503, {}
        if not self.rights:
            return 403, {}
        if path == "/apis/authentication.k8s.io/v1/tokenreviews":
            self.reviewed.append(spec["token"])
            user = self.users.get(spec["token"])
            if user is None:
                return 201, {"status": {"error": "no such token"}}
            good_for = [audience for audience in self.audiences if audience in spec["audiences"]]
            return 201, {"status": {"authenticated": True, "user": {"username": user, "groups": ["g"]}, "audiences": good_for}}
        assert path == "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews"
        self.asked.append(spec)
        return 201, {"status": {"allowed": spec["user"] in self.allowed}}


@contextmanager
def listening(api: Api, made: ServerPod) -> Iterator[None]:
    """Answer as the API server of the pod's cluster."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.headers["Authorization"] == "Bearer the-server's-own"
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, document = api.answer(self.path, review["spec"])
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    own = pair()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = _context(own).wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    made.environment |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": str(server.server_port)}
    _token(made.path(PATH_TOKEN), own)
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _context(own: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(own.key + own.chain)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _token(folder: Path, own: Pair) -> None:
    folder.mkdir(parents=True)
    (folder / "token").write_text("the-server's-own\n")
    (folder / "ca.crt").write_bytes(own.chain)
