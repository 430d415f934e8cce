"""Secrets as kubelet mounts them, and certificates to put there."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_states = count(1)


class Pair(NamedTuple):
    """A certificate for 127.0.0.1 that signs itself, and its key, in PEM."""

    chain: bytes
    key: bytes
    expires: float

    @property
    def files(self) -> dict[str, bytes]:
        return {"tls.crt": self.chain, "tls.key": self.key}

    def trusted(self) -> ssl.SSLContext:
        """A client's context that trusts this certificate alone."""
        return ssl.create_default_context(cadata=self.chain.decode())


def pair(days: float = 10) -> Pair:
    """Make a pair."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), end - timedelta(days=30), end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(pem), private, end.timestamp())


def mount(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put all files of a Secret in place at once, as kubelet does: links to a link to their folder, which is swapped."""
    state = folder / f"..{next(_states)}"
    state.mkdir(parents=True)
    for name, content in files.items():
        (state / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    swapped = folder / "..data_tmp"
    swapped.symlink_to(state.name)
    swapped.rename(folder / "..data")
