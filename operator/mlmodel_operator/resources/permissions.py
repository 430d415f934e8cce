"""Who the pods are, what they may do, and who may reach them: ServiceAccounts, RoleBinding, NetworkPolicies; and the prediction key.

Not here: the ClusterRole that is bound, which the chart brings.
"""

from typing import Any

from mlmodel_contract.environment import (
    LABEL_COMPONENT,
    LABEL_MODEL,
    PATH_PREDICTION_KEY,
    PORT_GRPC,
    PORT_METRICS_MONITOR,
    PORT_METRICS_SERVER,
    PORT_REST,
)

from ..cluster.kinds import NETWORK_POLICY, ROLE_BINDING, SECRET, SERVICE_ACCOUNT
from ..snapshot import Model
from . import names


def accounts(model: Model) -> list[dict[str, Any]]:
    """Return the accounts of the server and trainer pods; no token is mounted by default."""
    return [
        names.type_meta(SERVICE_ACCOUNT)
        | {"metadata": names.metadata(model, name, names.labels(model, component)), "automountServiceAccountToken": False}
        for name, component in ((names.server_account(model), names.SERVER), (names.trainer_account(model), names.TRAINER))
    ]


def report_binding(model: Model, role: str) -> dict[str, Any]:
    """Let the sidecars write MonitorReports; an admission policy of the chart holds each to its own."""
    return _binding(model, names.server_account(model), role)


def _binding(model: Model, name: str, role: str) -> dict[str, Any]:
    return names.type_meta(ROLE_BINDING) | {
        "metadata": names.metadata(model, name, names.labels(model, names.SERVER)),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": names.server_account(model), "namespace": model.key.namespace}],
    }


def review_binding(model: Model, role: str) -> list[dict[str, Any]]:
    """Let the servers ask what a caller may do in this namespace, where the manifest wants callers of Kubernetes."""
    authentication = model.spec.serving.authentication
    if authentication is None or authentication.kubernetes is None:
        return []
    return [_binding(model, names.reviewer(model), role)]


def network_policies(model: Model) -> list[dict[str, Any]]:
    """Only the ports that are meant for others can be reached; trainers cannot be reached at all."""
    ports = [{"protocol": "TCP", "port": port} for port in (PORT_REST, PORT_GRPC, PORT_METRICS_SERVER, PORT_METRICS_MONITOR)]
    return [_policy(model, names.SERVER, [{"ports": ports}]), _policy(model, names.TRAINER, [])]


def _policy(model: Model, component: str, ingress: list[dict[str, Any]]) -> dict[str, Any]:
    selector = {LABEL_MODEL: model.key.name, LABEL_COMPONENT: component}
    spec: dict[str, Any] = {"podSelector": {"matchLabels": selector}, "policyTypes": ["Ingress"]}
    name = f"{model.key.name}-{component}"
    return names.type_meta(NETWORK_POLICY) | {
        "metadata": names.metadata(model, name, names.labels(model, component)),
        "spec": spec | ({"ingress": ingress} if ingress else {}),
    }


def prediction_key(model: Model, value: str) -> dict[str, Any]:
    """Return the Secret that prediction ids are signed with; ``value`` is base64 of random bytes. Created once, never read or changed."""
    key = PATH_PREDICTION_KEY.rsplit("/", 1)[1]
    return names.type_meta(SECRET) | {
        "metadata": names.metadata(model, names.prediction_key(model), names.labels(model, names.SERVER)),
        "type": "Opaque",
        "immutable": True,
        "data": {key: value},
    }
