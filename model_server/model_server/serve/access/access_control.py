"""TLS certificate and caller authentication, as the manifest declares them.

Not here: what either does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mlmodel_contract.environment import PATH_API_KEYS, PATH_TLS, PATH_TOKEN
from mlmodel_contract.manifest import KubernetesTokens, SecretKeySelector
from mlmodel_contract.pod import PodDocument

from ...runtime.paths import resolve_path
from ..errors import StartRefused
from ..telemetry.metrics import ServerMetrics
from .api_key_authenticator import ApiKeyAuthenticator
from .authenticator import Authenticator
from .reloaded_file import InvalidFile

if TYPE_CHECKING:
    from .certificate import Certificate


@dataclass
class AccessControl:
    """``certificate`` is None without TLS, ``authenticator`` where everybody may call; ``reloads`` load files again that have changed."""

    certificate: "Certificate | None" = None
    authenticator: Authenticator | None = None
    reloads: list[Callable[[], None]] = field(default_factory=list)

    def reload_if_changed(self) -> None:
        """Load files again that have changed; to be called every second."""
        for reload in self.reloads:
            reload()


async def build_access_control(document: PodDocument, metrics: ServerMetrics) -> AccessControl:
    """Return the access control that the pod's document declares.

    Raises:
        StartRefused: the mounted files cannot be used, or the server may not ask the API server about callers.

    """
    access = AccessControl()
    authentication = document.authentication
    try:
        if document.tls:
            _add_certificate(access, document.tls.secret, metrics)
        if authentication and authentication.secret:
            _add_api_keys(access, authentication.secret, metrics)
    except InvalidFile as error:
        raise StartRefused(str(error)) from error
    if authentication and authentication.kubernetes:
        access.authenticator = await _kubernetes_authenticator(document, authentication.kubernetes)
    return access


def _add_certificate(access: AccessControl, secret: str, metrics: ServerMetrics) -> None:
    from .certificate import Certificate  # late: its import takes long, and most servers have none

    certificate = access.certificate = Certificate(resolve_path(PATH_TLS), secret, partial(metrics.reloaded, "tls"))
    access.reloads.append(certificate.reload_if_changed)
    metrics.certificate(lambda: certificate.expires)


def _add_api_keys(access: AccessControl, secret: SecretKeySelector, metrics: ServerMetrics) -> None:
    keys = ApiKeyAuthenticator.from_file(
        resolve_path(PATH_API_KEYS), f"{secret.name}/{secret.key}", partial(metrics.reloaded, "authentication")
    )
    access.authenticator = keys
    access.reloads.append(keys.reload_if_changed)


async def _kubernetes_authenticator(document: PodDocument, tokens: KubernetesTokens) -> Authenticator:
    from ...runtime.kube_api import InClusterApi  # late, as the certificate: these import httpx
    from .kubernetes_token_authenticator import KubernetesTokenAuthenticator
    from .token_review_client import TokenReviewClient

    client = TokenReviewClient(
        InClusterApi.from_environment(resolve_path(PATH_TOKEN)), tokens.audiences, document.namespace, document.model
    )
    await client.check_permission()
    return KubernetesTokenAuthenticator(client.review)
