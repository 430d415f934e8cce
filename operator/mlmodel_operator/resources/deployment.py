"""The Deployment of one version: fetch, then the monitor as a native sidecar, and the model server.

Rules for no failed request (docs/architecture.md, "Rollout"): no pod goes before its successor is ready; a pod that ends keeps
serving while the endpoints move. Not here: which versions run, and how many pods (``decide/rollout.py``).
"""

from typing import Any

from mlmodel_contract import VERSION, environment
from mlmodel_contract.manifest import ServerSettings
from mlmodel_contract.pod import PodDocument

from ..cluster.kinds import DEPLOYMENT
from ..config import Config
from ..snapshot import Deployment, Model, Version
from . import names, security_mounts
from .pod_parts import Storage, container, mount, pod_spec, store_uri, whole_seconds

PRE_STOP_SECONDS = 5
"""A pod still serves for so long after its deletion, until every node has removed it from the Service."""

_IN_FLIGHT_SECONDS = 20  # at least; as long as a request may take
_MONITOR_RESOURCES = {"requests": {"cpu": "25m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
_FETCH_RESOURCES = {"requests": {"cpu": "25m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def build(model: Model, version: Version, replicas: int, existing: Deployment | None, config: Config) -> dict[str, Any]:
    """Return the Deployment of a version.

    An existing one keeps its image, so that an upgrade of the operator restarts no model, and replicas that an autoscaler has set.
    """
    labels = names.labels(model, names.SERVER, version.name)
    image = (existing.image if existing else None) or config.server_image
    selector = names.pod_selector(model, version.name)
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "progressDeadlineSeconds": whole_seconds(model.spec.serving.progress_deadline),
        "template": {"metadata": {"labels": labels}, "spec": _pod(model, version, image, config)},
    }
    if existing is None or not existing.replicas_owned_elsewhere or model.spec.serving.autoscaling is None:
        spec["replicas"] = replicas
    return names.type_meta(DEPLOYMENT) | {"metadata": names.metadata(model, version.name, labels), "spec": spec}


def _document(model: Model, version: Version, config: Config) -> PodDocument:
    monitoring, settings = model.spec.monitoring, model.spec.serving.server()
    return PodDocument(
        contract=VERSION,
        namespace=model.key.namespace,
        model=model.key.name,
        version=version.name,
        model_uid=model.uid,
        version_uid=version.uid,
        artifact=version.spec.artifact,
        store=store_uri(model, config.store),
        store_credentials=config.store.credentials,
        report_every=monitoring.report_every,
        heartbeat=monitoring.heartbeat,
        label_delay=monitoring.labels.max_delay,
        complete_after=monitoring.labels.maturity if monitoring.labels.complete_after else None,
        capture_fraction=monitoring.capture.fraction,
        capture_retention=monitoring.capture.retention,
        tracing=model.spec.serving.tracing,
        drain=f"{_in_flight_seconds(model)}s",
        tls=model.spec.serving.tls,
        authentication=model.spec.serving.authentication,
        serving=settings if settings != ServerSettings() else None,
    )


def _in_flight_seconds(model: Model) -> int:
    return max(_IN_FLIGHT_SECONDS, whole_seconds(model.spec.serving.timeout))


def _pod(model: Model, version: Version, image: str, config: Config) -> dict[str, Any]:
    artifact = version.spec.artifact
    storage = Storage.from_uris([store_uri(model, config.store), artifact.uri], [config.store.credentials, artifact.credentials])
    document = {"name": environment.ENV_POD, "value": _document(model, version, config).model_dump_json(by_alias=True, exclude_none=True)}
    pod = pod_spec(
        names.server_account(model),
        grace_seconds=PRE_STOP_SECONDS + _in_flight_seconds(model) + 15,
        containers=[_server(model, image, document)],
        volumes=[
            {"name": "bundle", "emptyDir": {}},
            {"name": "spool", "emptyDir": {}},
            {"name": "sockets", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "prediction-key", "secret": {"secretName": names.prediction_key(model)}},
            _token(),
            *security_mounts.volumes(model.spec.serving),
            *storage.volumes,
        ],
    )
    return pod | {"initContainers": [_fetch(image, document, storage), _monitor(image, document, storage)]}


def _fetch(image: str, document: dict[str, Any], storage: Storage) -> dict[str, Any]:
    return container(
        "fetch",
        image,
        environment.COMMAND_FETCH,
        env=[document],
        resources=_FETCH_RESOURCES,
        mounts=[mount("bundle", environment.PATH_BUNDLE), *storage.mounts],
    )


def _monitor(image: str, document: dict[str, Any], storage: Storage) -> dict[str, Any]:
    pod_name = {"name": environment.ENV_POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    monitor = container(
        "monitor",
        image,
        environment.COMMAND_MONITOR,
        env=[document, pod_name],
        resources=_MONITOR_RESOURCES,
        mounts=[
            mount("bundle", environment.PATH_BUNDLE, read_only=True),
            mount("sockets", environment.PATH_SOCKETS),
            mount("spool", environment.PATH_SPOOL),
            mount("token", environment.PATH_TOKEN, read_only=True),
            *storage.mounts,
        ],
    )
    return monitor | {
        "restartPolicy": "Always",
        "ports": [{"name": "metrics-monitor", "containerPort": environment.PORT_METRICS_MONITOR}],
    }


def _server(model: Model, image: str, document: dict[str, Any]) -> dict[str, Any]:
    tls = model.spec.serving.tls is not None
    server = container(
        "server",
        image,
        environment.COMMAND_SERVE,
        env=[document],
        resources=model.spec.serving.resources.wire(),
        mounts=[
            mount("bundle", environment.PATH_BUNDLE, read_only=True),
            mount("sockets", environment.PATH_SOCKETS),
            mount("prediction-key", environment.PATH_PREDICTION_KEY.rsplit("/", 1)[0], read_only=True),
            *security_mounts.mounts(model.spec.serving),
        ],
    )
    return server | {
        "ports": [
            {"name": "http", "containerPort": environment.PORT_REST},
            {"name": "grpc", "containerPort": environment.PORT_GRPC},
            {"name": "metrics", "containerPort": environment.PORT_METRICS_SERVER},
        ],
        "startupProbe": _probe("/v2/health/live", period=1, failures=120, tls=tls),
        "readinessProbe": _probe("/v2/health/ready", period=2, failures=3, tls=tls),
        "livenessProbe": _probe("/v2/health/live", period=10, failures=6, tls=tls),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
    }


def _probe(path: str, *, period: int, failures: int, tls: bool) -> dict[str, Any]:
    get = {"path": path, "port": "http"} | ({"scheme": "HTTPS"} if tls else {})
    return {"httpGet": get, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}


def _token() -> dict[str, Any]:
    """A token of the pod, so that the API server knows which pod writes a report; mounted where it is needed."""
    return {
        "name": "token",
        "projected": {
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]
        },
    }
