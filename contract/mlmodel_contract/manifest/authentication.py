"""``spec.serving.tls`` and ``spec.serving.authentication``: the TLS certificate, and how callers are authenticated.

Not here: how many pods there are and how large (``operations.py``).
"""

from typing import Annotated

from pydantic import Field

from ..base import Document
from .rules import Rule, cel

SecretName = Annotated[str, Field(min_length=1, max_length=253)]
Audience = Annotated[str, Field(pattern=r"^\S+$", max_length=253)]
AUDIENCE = "mlmodel.dev"


class TLS(Document):
    """The certificate of the server; REST and gRPC speak TLS alone."""

    secret: SecretName = Field(
        description="Name of a Secret of this namespace and of the type kubernetes.io/tls: tls.crt with the chain, and tls.key."
    )


class SecretKeySelector(Document):
    """API keys in a Secret."""

    name: SecretName = Field(description="Name of a Secret of this namespace.")
    key: str = Field(
        "key",
        pattern=r"^[-._a-zA-Z0-9]+$",
        max_length=253,
        description="Key of the Secret, with one API key of at least 16 characters a line.",
    )


class KubernetesTokens(Document):
    """Tokens that the API server knows."""

    audiences: list[Audience] = Field(
        default_factory=lambda: [AUDIENCE],
        min_length=1,
        max_length=10,
        description="Audiences of which a token must have one; keep tokens that are meant for the API server out.",
    )


class Authentication(Document):
    """Who may call the model."""

    model_config = {
        "json_schema_extra": cel(
            Rule("has(self.kubernetes) != has(self.secret)", "serving.authentication needs exactly one of kubernetes and secret")
        )
    }

    kubernetes: KubernetesTokens | None = Field(
        None,
        description="Bearer tokens of Kubernetes, such as those of ServiceAccounts, whose user may create mlmodels/predict of this model.",
    )
    secret: SecretKeySelector | None = Field(None, description="API keys, sent as Authorization: Bearer KEY or as X-API-Key.")
