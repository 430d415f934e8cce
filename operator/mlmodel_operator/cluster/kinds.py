"""The kinds of objects that the operator watches or writes, and where the API serves them.

Not here: what the objects look like (``resources/``).
"""

from dataclasses import dataclass
from typing import Any

from mlmodel_contract.environment import API_VERSION, GROUP, PLURAL_MODELS, PLURAL_REPORTS, PLURAL_VERSIONS

FIELD_MANAGER = "mlmodel-operator"
"""Under this name the operator owns the fields that it applies."""


@dataclass(frozen=True)
class Kind:
    """A namespaced kind of the Kubernetes API."""

    name: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """As it stands in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of the collection, the object, or its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        parts += ["namespaces", namespace] if namespace else []
        return "/".join([*parts, self.plural, *filter(None, (name, subresource))])


ML_MODEL = Kind("MLModel", GROUP, API_VERSION, PLURAL_MODELS)
MODEL_VERSION = Kind("ModelVersion", GROUP, API_VERSION, PLURAL_VERSIONS)
MONITOR_REPORT = Kind("MonitorReport", GROUP, API_VERSION, PLURAL_REPORTS)
DEPLOYMENT = Kind("Deployment", "apps", "v1", "deployments")
JOB = Kind("Job", "batch", "v1", "jobs")
POD = Kind("Pod", "", "v1", "pods")
SERVICE = Kind("Service", "", "v1", "services")
SERVICE_ACCOUNT = Kind("ServiceAccount", "", "v1", "serviceaccounts")
ROLE_BINDING = Kind("RoleBinding", "rbac.authorization.k8s.io", "v1", "rolebindings")
CLAIM = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")
AUTOSCALER = Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers")
NETWORK_POLICY = Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
SECRET = Kind("Secret", "", "v1", "secrets")
EVENT = Kind("Event", "events.k8s.io", "v1", "events")

CHILDREN = (
    DEPLOYMENT,
    JOB,
    SERVICE,
    SERVICE_ACCOUNT,
    ROLE_BINDING,
    CLAIM,
    DISRUPTION_BUDGET,
    AUTOSCALER,
    NETWORK_POLICY,
)
"""Kinds that the operator makes, applies again where they differ, and deletes when they are no longer wanted."""

WATCHED = (ML_MODEL, MODEL_VERSION, MONITOR_REPORT, POD, *CHILDREN)

_BY_NAME = {kind.name: kind for kind in (*WATCHED, SECRET, EVENT)}


def kind_of(body: dict[str, Any]) -> Kind:
    """Return the kind that a manifest says it is."""
    return _BY_NAME[body["kind"]]
