"""What others must show and are shown: the server's certificate and its callers, as the manifest wants them.

Not here: what either does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mlmodel_contract.environment import PATH_API_KEYS, PATH_TLS, PATH_TOKEN
from mlmodel_contract.manifest import KubernetesTokens
from mlmodel_contract.pod import PodDocument

from ...runtime.paths import resolve_path
from ..errors import StartRefused
from ..telemetry.metrics import ServerMetrics
from .api_keys import ApiKeyAuthenticator, Authenticator
from .reloaded_file import InvalidFile

if TYPE_CHECKING:
    from .certificate import Certificate


@dataclass
class AccessControl:
    """``certificate`` is None without TLS, ``callers`` where everybody may call; ``looks`` take files that have changed."""

    certificate: "Certificate | None" = None
    callers: Authenticator | None = None
    looks: list[Callable[[], None]] = field(default_factory=list)

    def look(self) -> None:
        """Take files that have changed; to be called every second."""
        for look in self.looks:
            look()


async def build_access_control(document: PodDocument, metrics: ServerMetrics) -> AccessControl:
    """Return what the pod was told to ask and show.

    Raises:
        StartRefused: what is mounted cannot be used, or the server may not ask about callers.

    """
    doors = AccessControl()
    try:
        if document.tls:
            _with_certificate(doors, document.tls.secret, metrics)
        if document.authentication and (secret := document.authentication.secret):
            keys = ApiKeyAuthenticator.of(
                resolve_path(PATH_API_KEYS), f"{secret.name}/{secret.key}", partial(metrics.reloaded, "authentication")
            )
            doors.callers = keys
            doors.looks.append(keys.look)
    except InvalidFile as error:
        raise StartRefused(str(error)) from error
    if document.authentication and (tokens := document.authentication.kubernetes):
        doors.callers = await _token_callers(document, tokens)
    return doors


async def _token_callers(document: PodDocument, tokens: KubernetesTokens) -> Authenticator:
    from ...runtime.kube_api import InClusterApi  # late, as the certificate: these import httpx
    from .kubernetes_tokens import TokenReviewAuthenticator
    from .token_review_client import TokenReviewClient

    reviewer = TokenReviewClient(
        InClusterApi.from_environment(resolve_path(PATH_TOKEN)), tokens.audiences, document.namespace, document.model
    )
    await reviewer.check()
    return TokenReviewAuthenticator(reviewer.review)


def _with_certificate(doors: AccessControl, secret: str, metrics: ServerMetrics) -> None:
    from .certificate import Certificate  # late: its import takes long, and most servers have none

    certificate = doors.certificate = Certificate(resolve_path(PATH_TLS), secret, partial(metrics.reloaded, "tls"))
    doors.looks.append(certificate.look)
    metrics.certificate(lambda: certificate.expires)
