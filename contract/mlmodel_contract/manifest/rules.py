"""What manifests are written with: CEL rules, keyed lists, scalars and resources.

Not here: a part of the manifest.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from ..base import Document

SourceURI = Annotated[str, Field(pattern=r"^(s3|https|pvc)://[^\s]+$", max_length=1024)]


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


class ComputeResources(Document):
    """Resources of one container, as Kubernetes writes them."""

    requests: dict[Literal["cpu", "memory"], Quantity] = Field(default_factory=dict, description="What the scheduler sets aside.")
    limits: dict[Literal["cpu", "memory"], Quantity] = Field(default_factory=dict, description="What the container may not exceed.")
