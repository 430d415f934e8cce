"""Image archives in the format of `docker save`: making one of a single program, and reading names and identity.

How an image gets into a cluster is each cluster's own business.
"""

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path

from devtools.errors import DevtoolsError
from devtools.files import write_atomically


@dataclass(frozen=True)
class ArchivedImage:
    """An image in an archive. `identity` is the digest of its configuration, the same in every cluster."""

    names: tuple[str, ...]
    identity: str


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def write_single_program(archive: Path, name: str, program: Path) -> None:
    """Write the image `name` that holds and runs one static program, as user 65535. The same input, the same bytes."""
    layer = _tar({program.name: program.read_bytes()}, mode=0o755)
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    content = _tar({config_name: config, "layer.tar": layer, "manifest.json": manifest}, mode=0o644)
    write_atomically(archive, content)


def name_in(archive: Path) -> str:
    """The name of the one image in an archive."""
    return read(archive)[0].names[0]


def read(archive: Path) -> list[ArchivedImage]:
    """The images in an archive. Raises `DevtoolsError` when it is none."""
    try:
        with tarfile.open(archive) as file:
            entry = file.extractfile("manifest.json")
            manifest = json.load(entry) if entry else []
        return [ArchivedImage(tuple(image.get("RepoTags") or ()), f"sha256:{Path(image['Config']).stem}") for image in manifest]
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        wanted = "`docker save` or `buildah push ... docker-archive:`"
        raise DevtoolsError(f"{archive} is not an image archive: give one that {wanted} wrote") from error
