"""The API server of the cluster that the pod runs in, spoken to with the pod's own token.

Not here: what it is asked.
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
    """Where the API server is and how it is spoken to: its URL, and the folder with ``token`` and ``ca.crt``, which are renewed."""

    url: str
    folder: Path

    @classmethod
    def of_the_cluster(cls, folder: Path) -> "InClusterApi":
        """Return the server of the cluster that this pod runs in."""
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS", "443")
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", folder)

    def client(self, seconds: float = _SECONDS) -> httpx.AsyncClient:
        """Return a client with the token and certificates as they are now, that waits so long for an answer.

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
