"""The certificates of a control plane, made with openssl. Who gets which certificate is decided elsewhere."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from devtools.commands import run
from devtools.files import write_json

_DAYS = "3650"  # as long as a machine may keep its cluster; `down` throws the keys away
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
_AUTHORITY = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    "subjectKeyIdentifier=hash",
)
_LEAF = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=serverAuth,clientAuth",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
)


@dataclass(frozen=True)
class Identity:
    """A certificate that should exist. `hosts` are subjectAltNames as openssl writes them (`DNS:x`, `IP:y`)."""

    name: str
    common_name: str
    organization: str = ""
    hosts: tuple[str, ...] = ()
    authority: str = "ca"


def certificate(pki: Path, name: str) -> Path:
    """The file of a certificate, in PEM."""
    return pki / f"{name}.crt"


def key(pki: Path, name: str) -> Path:
    """The file of a private key, in PEM."""
    return pki / f"{name}.key"


def _request(identity: Identity, extensions: tuple[str, ...]) -> str:
    subject = [f"CN={identity.common_name}"]
    if identity.organization:
        subject.insert(0, f"O={identity.organization}")
    if identity.hosts:
        extensions = (*extensions, "subjectAltName=" + ",".join(identity.hosts))
    head = ["[req]", "prompt=no", "distinguished_name=subject", "x509_extensions=extensions"]
    return "\n".join([*head, "[subject]", *subject, "[extensions]", *extensions, ""])


def _issue(pki: Path, identity: Identity, signing: tuple[str | Path, ...], extensions: tuple[str, ...]) -> None:
    """Make key and certificate beside their places, then move them there: the record of it is written last."""
    with tempfile.TemporaryDirectory(prefix=".issue-", dir=pki) as name:
        folder = Path(name)
        (folder / "request").write_text(_request(identity, extensions))
        files = ("-config", folder / "request", "-keyout", folder / "key", "-out", folder / "crt")
        run(["openssl", "req", "-x509", "-days", _DAYS, *_KEY, *files, *signing])
        (folder / "key").chmod(0o600)
        (folder / "key").rename(key(pki, identity.name))
        (folder / "crt").rename(certificate(pki, identity.name))


def _signed_by(pki: Path, authority: str) -> tuple[str | Path, ...]:
    return ("-CA", certificate(pki, authority), "-CAkey", key(pki, authority))


def _is_issued(record: Path, wanted: object) -> bool:
    try:
        return bool(json.loads(record.read_text()) == json.loads(json.dumps(wanted)))
    except (OSError, ValueError):
        return False


def ensure(pki: Path, authorities: tuple[str, ...], identities: tuple[Identity, ...]) -> None:
    """Make what is missing or no longer as wanted; leave everything else alone.

    A record beside each certificate says what it was made from, so that a kill in between only costs that one. The
    folder is for this user alone.
    """
    pki.mkdir(parents=True, exist_ok=True)
    os.chmod(pki, 0o700)
    for authority in authorities:
        record = pki / f"{authority}.json"
        if not _is_issued(record, authority):
            _issue(pki, Identity(authority, f"mlmodel-cluster-{authority}"), (), _AUTHORITY)
            write_json(record, authority)
    for identity in identities:
        record = pki / f"{identity.name}.json"
        wanted = {**asdict(identity), "authority": certificate(pki, identity.authority).read_text()}
        if not _is_issued(record, wanted):
            _issue(pki, identity, _signed_by(pki, identity.authority), _LEAF)
            write_json(record, wanted)


def ensure_key_pair(pki: Path, name: str) -> None:
    """A key pair without a certificate, as ServiceAccount tokens are signed with: `name`.key and `name`.pub."""
    public = pki / f"{name}.pub"
    if public.exists():
        return
    private = key(pki, name)
    private.unlink(missing_ok=True)
    run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", private])
    private.chmod(0o600)
    run(["openssl", "pkey", "-in", private, "-pubout", "-out", f"{public}.new"])
    Path(f"{public}.new").rename(public)
