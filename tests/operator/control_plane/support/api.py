"""The Kubernetes API of one namespace over HTTP, as administrator: quick enough to play kubelet with. kubectl is for what users type.

Not here: what is done with it.
"""

import base64
import json
import ssl
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
from mlmodel_operator.cluster.kinds import Kind

Body = dict[str, Any]


class Api:
    """Reads and writes objects of one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.namespace = namespace
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with NamedTemporaryFile() as file:
            file.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
            file.flush()
            context.load_cert_chain(file.name)
        self._client = httpx.Client(base_url=cluster["server"], verify=context, timeout=30, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def find(self, kind: Kind, name: str) -> Body | None:
        response = self._client.get(kind.path(self.namespace, name))
        return None if response.status_code == httpx.codes.NOT_FOUND else _parsed(response)

    def get(self, kind: Kind, name: str) -> Body:
        return _parsed(self._client.get(kind.path(self.namespace, name)))

    def objects(self, kind: Kind, selector: str = "") -> list[Body]:
        items: list[Body] = _parsed(self._client.get(kind.path(self.namespace), params={"labelSelector": selector}))["items"]
        return items

    def names(self, kind: Kind, selector: str = "") -> list[str]:
        return sorted(body["metadata"]["name"] for body in self.objects(kind, selector))

    def create(self, kind: Kind, body: Body) -> Body:
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        return _parsed(self._client.post(kind.path(self.namespace), json=head | body))

    def merge(self, kind: Kind, name: str, patch: Body, subresource: str | None = None) -> Body:
        """JSON merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return _parsed(self._client.patch(kind.path(self.namespace, name, subresource), content=json.dumps(patch), headers=headers))

    def delete(self, kind: Kind, name: str) -> None:
        response = self._client.delete(kind.path(self.namespace, name))
        if response.status_code != httpx.codes.NOT_FOUND:
            _parsed(response)


def _parsed(response: httpx.Response) -> Body:
    if response.is_error:
        raise AssertionError(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
    body: Body = response.json()
    return body
