"""A stand-in for the Kubernetes API: it serves reads of the world in memory, page by page, and refuses what a test wants refused.

What a real API server says to the plugin is tested on the cluster (``tests/node``). Not here: any expectation.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from mlmodel_operator.cluster.kinds import ML_MODEL, MODEL_VERSION, MONITOR_REPORT

from tests.operator.support.in_memory_api import InMemoryApi
from tests.operator.support.manifests import NAMESPACE

_KINDS = {kind.plural: kind for kind in (ML_MODEL, MODEL_VERSION, MONITOR_REPORT)}
_PAGE = 3  # objects, whatever a client asks for


class ApiServer:
    """Answers of one server. ``status`` is what it refuses everything with, and ``unknown`` the plurals of which it knows nothing."""

    def __init__(self, world: InMemoryApi) -> None:
        self.world = world
        self.status: int | None = None
        self.unknown: set[str] = set()

    def answer(self, url: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the document."""
        parts, query = urlsplit(url).path.strip("/").split("/"), parse_qs(urlsplit(url).query)
        if self.status:
            return self.status, {}
        _, _, _, _, namespace, plural, *name = parts
        if namespace != NAMESPACE or plural in self.unknown:
            return (404, {}) if name or plural in self.unknown else (200, {"items": [], "metadata": {}})
        bodies = {ref.name: body for ref, body in self.world.objects.items() if ref.kind is _KINDS[plural]}
        if name:
            return (200, bodies[name[0]]) if name[0] in bodies else (404, {})
        wanted = dict(pair.split("=") for pair in query.get("labelSelector", [""])[0].split(",") if pair)
        found = [body for body in bodies.values() if wanted.items() <= body["metadata"].get("labels", {}).items()]
        start = int(query.get("continue", ["0"])[0])
        rest = {"continue": str(start + _PAGE)} if start + _PAGE < len(found) else {}
        return 200, {"items": found[start : start + _PAGE], "metadata": rest}


@contextmanager
def serving(server: ApiServer, folder: Path) -> Iterator[Path]:
    """Serve until the block ends; gives a kubeconfig that names the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = server.answer(self.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield write_kubeconfig(folder / "kubeconfig", f"http://127.0.0.1:{listening.server_port}")
        finally:
            listening.shutdown()
            thread.join()


def write_kubeconfig(path: Path, server: str) -> Path:
    """Write a kubeconfig whose context is in the tests' namespace."""
    context = {"name": "there", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "there",
        "contexts": [context],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path
