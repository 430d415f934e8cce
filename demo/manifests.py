"""The manifests of ``examples/flights``, with what only a running demonstration knows filled in: images, keys, pace, script.

Not here: applying them.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from mlmodel_contract.manifest import MLModelSpec

from demo.scenario import EXAMPLES, NAMESPACE, REPLAY, Scenario

Manifest = dict[str, Any]

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
"""The Pod Security Standard that nothing of the demonstration may be less strict than."""

OURS = {"app.kubernetes.io/part-of": "mlmodel-demo"}
"""Labels of a namespace that may be removed with all that is in it."""


@dataclass(frozen=True)
class Keys:
    """The keys of the S3 server."""

    access: str
    secret: str

    @classmethod
    def new(cls) -> "Keys":
        """Draw keys that nobody else knows."""
        return cls("airline", secrets.token_hex(20))


def namespace() -> Manifest:
    """Return the airline's namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED | OURS}}


def storage(images: Mapping[str, str], keys: Keys) -> list[Manifest]:
    """Return the S3 server."""
    manifests = _with_images(_read("storage.yaml"), images)
    secret = next(manifest for manifest in manifests if manifest["kind"] == "Secret")
    secret["stringData"].update(AWS_ACCESS_KEY_ID=keys.access, AWS_SECRET_ACCESS_KEY=keys.secret)
    return manifests


def model() -> list[Manifest]:
    """Return the MLModel, as it is in the file."""
    return _read("mlmodel.yaml")


def spec() -> MLModelSpec:
    """Return the MLModel's spec, which what is served is judged by."""
    return MLModelSpec.model_validate(next(manifest["spec"] for manifest in model() if manifest["kind"] == "MLModel"))


def replay(images: Mapping[str, str], scenario: Scenario) -> list[Manifest]:
    """Return the Job that plays the airline, and the ConfigMap of its script."""
    manifests = _with_images(_read("replay.yaml"), images)
    for container in _containers(manifests[0]):
        for variable in container["env"]:
            if variable["name"] == "SECONDS_PER_DAY":
                variable["value"] = f"{scenario.seconds_per_day:g}"
    script = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": REPLAY, "namespace": NAMESPACE},
        "data": {"replay.py": (EXAMPLES / "replay.py").read_text()},
    }
    return [script, *manifests]


def _read(name: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all((EXAMPLES / name).read_text()) if document]


def _with_images(manifests: list[Manifest], images: Mapping[str, str]) -> list[Manifest]:
    """Put the images' real names where the file has the names of their targets."""
    for manifest in manifests:
        for container in _containers(manifest):
            container["image"] = images[container["image"]]
            container["imagePullPolicy"] = "IfNotPresent"
    return manifests


def _containers(manifest: Manifest) -> list[Manifest]:
    template = manifest.get("spec", {}).get("template", {})
    return list(template.get("spec", {}).get("containers", []))
