"""A client of the API server of the cluster that the pod runs in, with the pod's own token.

Not here: the requests.
"""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx

_SECONDS = 10.0


class ApiError(Exception):
    """The API server does not answer, or refuses."""


@dataclass(frozen=True)
class InClusterApi:
    """The API server's URL, and the folder with ``token`` and ``ca.crt``, which Kubernetes renews."""

    url: str
    folder: Path

    @classmethod
    def from_environment(cls, folder: Path) -> "InClusterApi":
        """Return the server of the cluster that this pod runs in."""
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS", "443")
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", folder)

    def client(self, seconds: float = _SECONDS) -> httpx.AsyncClient:
        """Return a client with the token and certificates as they are now; its time-out is ``seconds``.

        Raises:
            ApiError: they cannot be read.

        """
        try:
            context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        except OSError as error:
            raise self._unreadable(error) from error
        return httpx.AsyncClient(base_url=self.url, verify=context, headers=self.authorization(), timeout=seconds, trust_env=False)

    def authorization(self) -> dict[str, str]:
        """Return the header with the token as it is now.

        Raises:
            ApiError: it cannot be read.

        """
        try:
            return {"Authorization": f"Bearer {(self.folder / 'token').read_text().strip()}"}
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> ApiError:
        return ApiError(f"token or ca.crt in {self.folder} cannot be read: mount the projected token there ({error})")
