"""How many pods may run and must stay: the autoscaler, the disruption budget; and the claim they store in.

Not here: the number of replicas without an autoscaler (``decide/rollout.py``).
"""

from typing import Any

from ..cluster.kinds import AUTOSCALER, CLAIM, DEPLOYMENT, DISRUPTION_BUDGET
from ..config import StoreSettings
from ..snapshot import Model
from . import names

_DEFAULT_METRICS = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]


def autoscaler(model: Model, version: str) -> dict[str, Any] | None:
    """Return the HorizontalPodAutoscaler of the live version, None where the manifest asks for none."""
    wanted = model.spec.serving.autoscaling
    if wanted is None:
        return None
    spec = {
        "scaleTargetRef": {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, "name": version},
        "minReplicas": wanted.min_replicas,
        "maxReplicas": wanted.max_replicas,
        "metrics": wanted.metrics or _DEFAULT_METRICS,
    }
    return names.type_meta(AUTOSCALER) | {
        "metadata": names.metadata(model, model.key.name, names.labels(model, names.SERVER)),
        "spec": spec | ({"behavior": wanted.behavior} if wanted.behavior else {}),
    }


def disruption_budget(model: Model, version: str) -> dict[str, Any]:
    """Return the budget under which a node is emptied: one pod of the live version at a time."""
    return names.type_meta(DISRUPTION_BUDGET) | {
        "metadata": names.metadata(model, model.key.name, names.labels(model, names.SERVER)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": names.pod_selector(model, version)}},
    }


def claim(model: Model, store: StoreSettings) -> dict[str, Any]:
    """Return the claim that a model's artifacts and captured rows lie in, where the store is no object store."""
    spec: dict[str, Any] = {"accessModes": [store.access_mode], "resources": {"requests": {"storage": store.size}}}
    return names.type_meta(CLAIM) | {
        "metadata": names.metadata(model, names.store_claim(model), names.labels(model, names.TRAINER)),
        "spec": spec | ({"storageClassName": store.storage_class} if store.storage_class else {}),
    }
