"""Services: the model's, which has the live traffic, and each version's own.

Not here: which version is live (``decide/rollout.py``).
"""

from typing import Any

from mlmodel_contract.environment import PORT_GRPC, PORT_REST

from ..cluster.kinds import SERVICE
from ..snapshot import Model
from . import names


def build(model: Model, name: str, version: str) -> dict[str, Any]:
    """Return a Service of that name which sends to the ready pods of a version: REST on port 80, or 443 with TLS; gRPC on 8081."""
    labels = names.labels(model, names.SERVER, version if name == version else None)
    return names.type_meta(SERVICE) | {
        "metadata": names.metadata(model, name, labels),
        "spec": {
            "selector": names.pod_selector(model, version),
            "ports": _ports(tls=model.spec.serving.tls is not None),
        },
    }


def _ports(*, tls: bool) -> list[dict[str, Any]]:
    rest = {"name": "https", "port": 443, "appProtocol": "https"} if tls else {"name": "http", "port": 80}
    return [
        rest | {"targetPort": PORT_REST, "protocol": "TCP"},
        {
            "name": "grpc",
            "port": PORT_GRPC,
            "targetPort": PORT_GRPC,
            "protocol": "TCP",
            "appProtocol": "https" if tls else "kubernetes.io/h2c",
        },
    ]
