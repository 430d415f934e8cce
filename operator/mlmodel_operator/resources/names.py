"""Names, labels and owner references of everything that belongs to a model. All are functions of the model, the version or the run.

Not here: what the objects contain.
"""

from typing import Any

from mlmodel_contract.environment import LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_MODEL, LABEL_RUN, LABEL_STAGE, LABEL_VERSION, MANAGER
from mlmodel_contract.run import Stage, version_name

from ..cluster.kinds import ML_MODEL, Kind
from ..snapshot import Model

SERVER = "model-server"
TRAINER = "trainer"


def server_account(model: Model) -> str:
    """ServiceAccount of the model-server pods; its token is mounted into the sidecar, and into a server that reviews tokens."""
    return f"{model.key.name}-server"


def reviewer(model: Model) -> str:
    """RoleBinding by which the server asks what callers may do."""
    return f"{model.key.name}-server-reviewer"


def trainer_account(model: Model) -> str:
    """ServiceAccount of the trainer pods; it may do nothing."""
    return f"{model.key.name}-trainer"


def store_claim(model: Model) -> str:
    """PersistentVolumeClaim of the model's store."""
    return f"{model.key.name}-store"


def prediction_key(model: Model) -> str:
    """Secret that prediction ids are signed with."""
    return f"{model.key.name}-prediction-key"


def job(model: Model, run: int, stage: Stage) -> str:
    """Job of a stage of a run."""
    return f"{model.key.name}-r{run}-{stage.lower()}"


def version(model: Model, run: int) -> str:
    """Return the name of the ModelVersion that a run makes, and of its Deployment and Service."""
    return version_name(model.key.name, run)


def labels(model: Model, component: str, version: str | None = None) -> dict[str, str]:
    """Labels of an object that belongs to a model, and perhaps to a version."""
    made = {
        "app.kubernetes.io/name": "mlmodel",
        "app.kubernetes.io/instance": model.key.name,
        LABEL_COMPONENT: component,
        LABEL_MANAGED_BY: MANAGER,
        LABEL_MODEL: model.key.name,
    }
    return made | ({LABEL_VERSION: version} if version else {})


def run_labels(model: Model, run: int, stage: Stage) -> dict[str, str]:
    """Labels of what belongs to a stage of a run."""
    return labels(model, TRAINER) | {LABEL_RUN: str(run), LABEL_STAGE: stage.value}


def pod_selector(model: Model, version: str) -> dict[str, str]:
    """Labels that a version's model-server pods, and nothing else, have."""
    return {LABEL_MODEL: model.key.name, LABEL_VERSION: version, LABEL_COMPONENT: SERVER}


def metadata(model: Model, name: str, own_labels: dict[str, str]) -> dict[str, Any]:
    """Metadata of a child: in the model's namespace, owned by the model."""
    return {"name": name, "namespace": model.key.namespace, "labels": own_labels, "ownerReferences": [owner_reference(model)]}


def owner_reference(model: Model) -> dict[str, Any]:
    """Makes Kubernetes delete a child with its model."""
    return {
        "apiVersion": ML_MODEL.api_version,
        "kind": ML_MODEL.name,
        "name": model.key.name,
        "uid": model.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def type_meta(kind: Kind) -> dict[str, str]:
    """Return apiVersion and kind."""
    return {"apiVersion": kind.api_version, "kind": kind.name}
