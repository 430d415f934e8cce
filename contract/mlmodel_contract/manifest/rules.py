"""What manifests are written with: CEL rules, keyed lists, scalars and resources.

Not here: a part of the manifest.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from ..base import Document

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=20)]


class Rule(dict[str, Any]):
    """A CEL rule of the CRD, with the sentence that a user reads when it fails."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(rule=rule, message=message)


def cel(*rules: Rule) -> dict[str, Any]:
    """Attach CEL rules to a class; used as ``json_schema_extra``."""
    return {"x-kubernetes-validations": list(rules)}


def map_list(*keys: str) -> dict[str, Any]:
    """Declare a list whose items are unique by the given keys."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def between(field: str, least: str, most: str, sentence: str) -> Rule:
    """Hold a ``Duration`` within two others, which CEL reads as Go does (it knows no days): written in ms, s and m."""
    short = f"self.{field}.matches('^([0-9.]+(ms|s|m))+$')"
    return Rule(
        f"!has(self.{field}) || ({short} && duration(self.{field}) >= duration('{least}') && duration(self.{field}) <= duration('{most}'))",
        sentence,
    )


SourceURI = Annotated[
    str,
    Field(
        pattern=r"^(s3|https|pvc)://[^\s]+$",
        max_length=1024,
        json_schema_extra=cel(
            Rule(
                "!self.startsWith('pvc://') || self.matches('^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/')",
                "write pvc://claim/path with the name of a PersistentVolumeClaim of this namespace",
            )
        ),
    ),
]


def _within_limit(resource: str) -> Rule:
    both = " || ".join(f"!has(self.{part})" for part in ("requests", "limits", f"requests.{resource}", f"limits.{resource}"))
    amounts = f"quantity(self.requests.{resource}).compareTo(quantity(self.limits.{resource}))"
    return Rule(f"{both} || {amounts} <= 0", f"requests.{resource} must not exceed limits.{resource}")


class ComputeResources(Document):
    """Resources of one container, as Kubernetes writes them."""

    model_config = {"json_schema_extra": cel(_within_limit("cpu"), _within_limit("memory"))}

    requests: dict[Literal["cpu", "memory"], Quantity] = Field(default_factory=dict, description="What the scheduler sets aside.")
    limits: dict[Literal["cpu", "memory"], Quantity] = Field(default_factory=dict, description="What the container may not exceed.")
