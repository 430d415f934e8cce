"""The server's TLS certificate: read from a mounted Secret, and again when the Secret rotates. Open connections stay on the old one.

Not here: the listeners that use it.
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
class KeyPair:
    """A certificate chain and its private key, in PEM; ``expires`` is in seconds since 1970."""

    chain: bytes
    key: bytes
    context: ssl.SSLContext
    expires: float


class Certificate:
    """The key pair of a mounted Secret.

    Args:
        folder: where the Secret is mounted.
        secret: its name for messages.
        on_reload: see ``ReloadedFile``.

    Raises:
        InvalidFile: there is no usable key pair.

    """

    def __init__(self, folder: Path, secret: str, on_reload: Callable[[str], None]) -> None:
        self._pair = ReloadedFile(lambda: _read(folder, secret), lambda content: _key_pair(*content, secret), on_reload)
        self.reload_if_changed = self._pair.reload_if_changed

    @property
    def expires(self) -> float:
        """Return when the certificate expires, in seconds since 1970."""
        return self._pair.value.expires

    def context(self) -> ssl.SSLContext:
        """Return a context for listening; each new connection gets the key pair that is valid then."""
        context = _context()
        context.sni_callback = self._use_current_pair  # called for clients that name no server, too
        _load(context, self._pair.value.chain, self._pair.value.key)
        return context

    def credentials(self) -> Any:
        """Return the same for a server of gRPC, which asks for a new key pair at each connection."""
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

    def _use_current_pair(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._pair.value.context


def _read(folder: Path, secret: str) -> tuple[bytes, bytes]:
    """Read both files of the same version of the Secret: kubelet swaps all of its files at once, by a link to their folder."""
    version = (folder / _FILES[0]).resolve().parent
    try:
        chain, key = [(version / name).read_bytes() for name in _FILES]
    except OSError as error:
        missing = Path(str(error.filename)).name
        raise InvalidFile(
            f"the Secret '{secret}' of serving.tls has no {missing} that can be read: create it with kubectl create secret tls"
        ) from error
    return chain, key


def _key_pair(chain: bytes, key: bytes, secret: str) -> KeyPair:
    context = _context()
    try:
        _load(context, chain, key)
        expires = x509.load_pem_x509_certificates(chain)[0].not_valid_after_utc.timestamp()
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise InvalidFile(
            f"tls.crt and tls.key of the Secret '{secret}' of serving.tls are no certificate and its key in PEM ({reason}): put both right"
        ) from error
    return KeyPair(chain, key, context, expires)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load the key pair from memory: ``ssl`` loads files alone, and those of the folder may have changed meanwhile."""
    with os.fdopen(os.memfd_create("pair"), "wb") as file:
        file.write(key + b"\n" + chain)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password="")
