"""The manifests that the node tests apply: models that are learnt in seconds, and the pods beside them.

Every pod keeps the restricted Pod Security Standard. Not here: applying them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Body = dict[str, Any]

SCRIPTS = "scripts"  # the ConfigMap of in_pods/
STORAGE = "storage"  # Pod, Service and Secret of the S3 server
DATA = "data"  # the claim with source files
S3_PORT = 7070
MADE_BY, US = "mlmodel.dev/made-by", "node-tests"
"""Label of the namespaces that a session makes, so that the next one finds those of a session that was killed."""

_PACKAGE = "tests/node/in_pods"  # so that a script is a module in the pod as it is here
_POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def namespace(name: str) -> Body:
    """A namespace that refuses pods that are not restricted."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted", MADE_BY: US}},
    }


def scripts() -> Body:
    """The ConfigMap of the scripts that run in pods."""
    files = (Path(__file__).parents[1] / "in_pods").glob("*.py")
    return _head("v1", "ConfigMap", SCRIPTS) | {"data": {file.name: file.read_text() for file in files}}


def secret(name: str, content: Mapping[str, str], kind: str = "Opaque") -> Body:
    """A Secret of texts."""
    return _head("v1", "Secret", name) | {"type": kind, "stringData": dict(content)}


def claim(name: str) -> Body:
    """A claim of the cluster's default storage class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
    return _head("v1", "PersistentVolumeClaim", name) | {"spec": spec}


def script(name: str, *words: str) -> list[str]:
    """The command that runs a script, in the scripts' pods."""
    return ["python3", "-m", f"{_PACKAGE.replace('/', '.')}.{name}", *words]


def script_pod(name: str, image: str, command: Sequence[str], **more: Any) -> Body:
    """A pod in the model server's image that runs a command beside the scripts.

    Args:
        more: `claims`, names of claims by the path that they are mounted at; `env`, variables; `secret`, whose keys are variables.

    """
    claims: Mapping[str, str] = more.get("claims", {})
    container = {
        "name": "main",
        "image": image,
        "command": list(command),
        "workingDir": "/scripts",
        "env": [{"name": key, "value": value} for key, value in more.get("env", {}).items()],
        "envFrom": [{"secretRef": {"name": more["secret"]}}] if "secret" in more else [],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "volumeMounts": [
            {"name": "scripts", "mountPath": f"/scripts/{_PACKAGE}"},
            {"name": "tmp", "mountPath": "/tmp"},
            *({"name": claimed, "mountPath": path} for path, claimed in claims.items()),
        ],
    }
    volumes = [
        {"name": "scripts", "configMap": {"name": SCRIPTS}},
        {"name": "tmp", "emptyDir": {}},
        *({"name": claimed, "persistentVolumeClaim": {"claimName": claimed}} for claimed in claims.values()),
    ]
    return _pod(name, container, volumes)


def storage_pod(image: str) -> Body:
    """The S3 server, with the keys of the Secret of its name."""
    keys = {"ROOT_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "ROOT_SECRET_KEY": "AWS_SECRET_ACCESS_KEY"}
    container = {
        "name": "main",
        "image": image,
        "args": ["--quiet", "--health", "/health", "posix", "/data"],
        "env": [{"name": name, "valueFrom": {"secretKeyRef": {"name": STORAGE, "key": key}}} for name, key in keys.items()],
        "ports": [{"name": "s3", "containerPort": S3_PORT}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "s3"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return _pod(STORAGE, container, [{"name": "data", "emptyDir": {}}])


def storage_service() -> Body:
    """The S3 server's address in the cluster."""
    return _head("v1", "Service", STORAGE) | {"spec": {"selector": {"app": STORAGE}, "ports": [{"name": "s3", "port": S3_PORT}]}}


def model(name: str, **parts: Any) -> Body:
    """An MLModel; `parts` replace or, with None, remove parts of the spec, and mappings are merged into the part one level deep."""
    spec = _spec()
    for part, value in parts.items():
        spec[part] = {**spec.get(part, {}), **value} if isinstance(value, Mapping) else value
    spec = {part: value for part, value in spec.items() if value is not None}
    return _head("mlmodel.dev/v1alpha1", "MLModel", name) | {"spec": spec}


def external(name: str, folder: str, digest: str) -> Body:
    """An MLModel of a bundle that lies in the bucket."""
    bundle = {"uri": f"s3://team/bundles/{folder}", "digest": digest, "credentials": STORAGE}
    return model(name, data=None, training=None, model=bundle, retraining={"giveUpAfter": 1})


def _spec() -> Body:
    return {
        "objective": {"description": "Late things are known beforehand.", "criteria": [{"metric": "roc_auc", "min": 0.7}]},
        "data": {
            "sources": [{"uri": f"pvc://{DATA}/rows.csv"}],
            "target": "late",
            "time": "when",
            "columns": [
                {"name": "when", "type": "time"},
                {"name": "x", "type": "number", "min": -20, "max": 20},
                {"name": "z", "type": "number", "min": -20, "max": 20},
                {"name": "c", "type": "category"},
                {"name": "late", "type": "boolean"},
            ],
        },
        "training": {
            "task": "Classification",
            "candidates": [{"name": "linear", "estimator": "sklearn.linear_model.LogisticRegression"}],
            "trials": 1,
            "retries": 1,
            "timeout": "5m",
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
        },
        "serving": {"resources": {"requests": {"cpu": "10m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}, "drain": "5s"},
        "monitoring": {"reportEvery": "2s", "heartbeat": "2s", "labels": {"maxDelay": "10m", "completeAfter": "1s"}},
        "retraining": {"cooldown": "5s", "triggers": ["Drift"], "budget": {"runsPerWeek": 1000}},  # no suspicion: a test asks for it
    }


def _head(version: str, kind: str, name: str) -> Body:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _pod(name: str, container: Body, volumes: list[Body]) -> Body:
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": _POD_SECURITY,
        "containers": [{**container, "imagePullPolicy": "IfNotPresent", "securityContext": _CONTAINER_SECURITY}],
        "volumes": volumes,
    }
    body = _head("v1", "Pod", name) | {"spec": spec}
    body["metadata"]["labels"] = {"app": name}
    return body
