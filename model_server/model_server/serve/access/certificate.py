"""The certificate of the server: read from a mounted Secret, and again when the Secret rotates; connections that are open keep theirs.

Not here: who listens with it.
"""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from .reloaded_file import InvalidFile, ReloadedFile

_FILES = ("tls.crt", "tls.key")


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain and its key, in PEM; ``expires`` is in seconds since 1970."""

    chain: bytes
    key: bytes
    context: ssl.SSLContext
    expires: float


class Certificate:
    """The pair in a folder, of which ``secret`` is the name for people.

    Raises:
        Unusable: there is none that can be used.

    """

    def __init__(self, folder: Path, secret: str, told: Callable[[str], None]) -> None:
        self._pair = ReloadedFile(lambda: _read(folder, secret), lambda content: _pair(*content, secret), told)
        self.look = self._pair.look

    @property
    def expires(self) -> float:
        """When the certificate ends, in seconds since 1970."""
        return self._pair.value.expires

    def context(self) -> ssl.SSLContext:
        """Return a context for listening, whose new connections have the pair of their time."""
        context = _context()
        context.sni_callback = self._choose  # called for clients that name no server, too
        _load(context, self._pair.value.chain, self._pair.value.key)
        return context

    def credentials(self) -> Any:
        """Return the same for a server of gRPC, which asks for a new pair at each connection."""
        import grpc  # late: to import gRPC takes long

        last = [self._pair.value]

        def changed() -> Any:
            pair = self._pair.value
            if pair is last[0]:
                return None
            last[0] = pair
            return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])

        first = grpc.ssl_server_certificate_configuration([(last[0].key, last[0].chain)])
        return grpc.dynamic_ssl_server_credentials(first, changed)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._pair.value.context


def _read(folder: Path, secret: str) -> tuple[bytes, bytes]:
    """Read both files of one and the same state: kubelet puts all files of a Secret in place at once, by a link to their folder."""
    state = (folder / _FILES[0]).resolve().parent
    try:
        chain, key = [(state / name).read_bytes() for name in _FILES]
    except OSError as error:
        missing = Path(str(error.filename)).name
        raise InvalidFile(
            f"the Secret '{secret}' of serving.tls has no {missing} that can be read: create it with kubectl create secret tls"
        ) from error
    return chain, key


def _pair(chain: bytes, key: bytes, secret: str) -> Pair:
    context = _context()
    try:
        _load(context, chain, key)
        expires = x509.load_pem_x509_certificates(chain)[0].not_valid_after_utc.timestamp()
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise InvalidFile(
            f"tls.crt and tls.key of the Secret '{secret}' of serving.tls are no certificate and its key in PEM ({reason}): put both right"
        ) from error
    return Pair(chain, key, context, expires)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load what is in memory: only files can be loaded, and these of the folder may be others by now."""
    with os.fdopen(os.memfd_create("pair"), "wb") as file:
        file.write(key + b"\n" + chain)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password="")
