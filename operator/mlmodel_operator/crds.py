"""The CustomResourceDefinitions, generated from the contract: ``python -m mlmodel_operator.crds`` writes them to crds/ and into the chart.

Not here: the fields and their rules, which are defined once, in ``mlmodel_contract``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlmodel_contract.base import Document
from mlmodel_contract.environment import API_VERSION, GROUP, PLURAL_MODELS, PLURAL_REPORTS, PLURAL_VERSIONS
from mlmodel_contract.manifest import MLModelSpec, Rule, cel
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.status import MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec

from .structural_schema import Schema, structural_schema

FOLDER = "crds"
CHART_FOLDER = "charts/mlmodel-operator/templates/crds"
_GENERATED = "# Generated from mlmodel_contract by `make crds`; do not edit."


@dataclass(frozen=True)
class PrinterColumn:
    """A column of ``kubectl get``; a wide one is shown with ``-o wide`` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def wire(self) -> dict[str, Any]:
        """Return the column as a CRD has it."""
        return {"name": self.name, "type": self.type, "jsonPath": self.path} | ({"priority": 1} if self.wide else {})


_AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True)
class Definition:
    """A kind of the group."""

    kind: str
    plural: str
    description: str
    spec: type[Document]
    status: type[Document] | None
    columns: tuple[PrinterColumn, ...]
    short_name: str | None = None
    defaults: bool = False
    rules: tuple[Rule, ...] = ()
    spec_rules: tuple[Rule, ...] = ()
    scale: dict[str, str] | None = None

    @property
    def name(self) -> str:
        """Name of the CRD."""
        return f"{self.plural}.{GROUP}"


_SHORT_NAME = Rule(
    "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name must have at most 40 characters of a to z, 0 to 9 and -, a letter first and no - last: "
    "the names of the Service, the versions and the Jobs are made from it",
)
_NO_VERSIONS_NAME = Rule(
    "!self.metadata.name.matches('-v[0-9]+$')",
    "metadata.name must not end in -v and a number: so are the versions of a model named, and their Services",
)
_IMMUTABLE = Rule(
    "self == oldSelf", "the spec of a ModelVersion never changes: what a run made is a fact; start another run to make another version"
)

DEFINITIONS = (
    Definition(
        kind="MLModel",
        plural=PLURAL_MODELS,
        short_name="mlm",
        description="A model that the cluster trains, serves, watches and trains anew, by what its team declares.",
        spec=MLModelSpec,
        status=MLModelStatus,
        defaults=True,
        rules=(_SHORT_NAME, _NO_VERSIONS_NAME),
        scale={
            "specReplicasPath": ".spec.serving.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
        columns=(
            PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            PrinterColumn("Live", ".status.live.version"),
            PrinterColumn("Candidate", ".status.candidate.version"),
            PrinterColumn("Drift", ".status.drift.state"),
            PrinterColumn("Objective", ".status.objective[0].summary"),
            PrinterColumn("Run", ".status.run.state", wide=True),
            PrinterColumn("Run Reason", ".status.run.reason", wide=True),
            PrinterColumn("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
            _AGE,
        ),
    ),
    Definition(
        kind="ModelVersion",
        plural=PLURAL_VERSIONS,
        short_name="mlv",
        description="What a run made, on which data, with which figures, and what was decided; its spec never changes.",
        spec=ModelVersionSpec,
        status=ModelVersionStatus,
        spec_rules=(_IMMUTABLE,),
        columns=(
            PrinterColumn("Model", ".spec.model"),
            PrinterColumn("Phase", ".status.phase"),
            PrinterColumn("Candidate", ".spec.candidate"),
            PrinterColumn("Decision", ".spec.decision.reason"),
            PrinterColumn("Verdict", ".spec.decision.verdict"),
            PrinterColumn("Run Reason", ".spec.reason", wide=True),
            PrinterColumn("Message", ".spec.decision.message", wide=True),
            _AGE,
        ),
    ),
    Definition(
        kind="MonitorReport",
        plural=PLURAL_REPORTS,
        description="What one model-server pod has seen of one version; written by the pod's own sidecar alone.",
        spec=MonitorReportSpec,
        status=None,
        columns=(
            PrinterColumn("Version", ".spec.version"),
            PrinterColumn("Rows", ".spec.rows.counted", "integer"),
            PrinterColumn("Missed", ".spec.rows.missed", "integer"),
            PrinterColumn("Labels", ".spec.labels.rows", "integer"),
            _AGE,
        ),
    ),
)


def _schema(definition: Definition) -> Schema:
    spec = structural_schema(definition.spec, defaults=definition.defaults)
    if definition.spec_rules:
        spec["x-kubernetes-validations"] = [*spec.get("x-kubernetes-validations", []), *map(dict, definition.spec_rules)]
    properties: dict[str, Schema] = {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{API_VERSION}"},
        "kind": {"type": "string", "description": definition.kind},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    if definition.status is not None:
        properties["status"] = structural_schema(definition.status, defaults=False)
    whole: Schema = {"type": "object", "description": definition.description, "required": ["spec"], "properties": properties}
    if definition.rules:
        whole |= {key: [dict(rule) for rule in rules] for key, rules in cel(*definition.rules).items()}
    return whole


def build(definition: Definition) -> dict[str, Any]:
    """Return the CustomResourceDefinition, as a manifest."""
    subresources: dict[str, Any] = {"status": {}} if definition.status is not None else {}
    if definition.scale:
        subresources["scale"] = definition.scale
    version = {
        "name": API_VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(definition)},
        "additionalPrinterColumns": [column.wire() for column in definition.columns],
    }
    names: dict[str, Any] = {
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
        "plural": definition.plural,
        "singular": definition.kind.lower(),
    }
    if definition.short_name:
        names["shortNames"] = [definition.short_name]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names,
            "versions": [version | ({"subresources": subresources} if subresources else {})],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice; YAML's references are hard to read and no diff understands them."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _manifest(definition: Definition) -> str:
    return yaml.dump(build(definition), Dumper=_Dumper, sort_keys=False, width=160, allow_unicode=True)


def _template(definition: Definition) -> str:
    """Return the manifest as a template of the chart, which decides whether the CRD is installed and whether it outlives the release."""
    metadata = f"metadata:\n  name: {definition.name}\n"
    templated = (
        metadata
        + '  labels:\n    {{- include "mlmodel-operator.labels" . | nindent 4 }}\n'
        + ("  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n")
    )
    manifest = _manifest(definition)
    if "{{" in manifest or metadata not in manifest:
        raise ValueError(f"the CRD {definition.name} cannot become a template of the chart: a text in it has two opening braces")
    return "{{- if .Values.crds.enabled }}\n" + manifest.replace(metadata, templated, 1) + "{{- end }}\n"


def files() -> dict[str, str]:
    """Return the content of every generated file by its path in the repository."""
    made = {}
    for definition in DEFINITIONS:
        made[f"{FOLDER}/{GROUP}_{definition.plural}.yaml"] = f"{_GENERATED}\n{_manifest(definition)}"
        made[f"{CHART_FOLDER}/{definition.plural}.yaml"] = f"{_GENERATED}\n{_template(definition)}"
    return made


def main() -> None:
    """Write the files into the repository that the working directory is the root of."""
    for path, content in files().items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)


if __name__ == "__main__":
    main()
