"""Bring a bundle from the store into a folder, and check that it is the declared one.

Not here: loading the model; a pod's init step fetches, its server opens.
"""

from dataclasses import dataclass
from pathlib import Path

from mlmodel_contract.bundle import MANIFEST, BundleManifest
from mlmodel_contract.version import Artifact

from ..storage import Location, locate, read_bytes
from .errors import BundleRefused
from .read import digest_of, parse_manifest


@dataclass(frozen=True)
class BundleStore:
    """The store that the operator was installed with: its address for this model, and the Secret with its keys."""

    uri: str
    credentials: str | None

    def resolve(self, artifact: Artifact) -> Location:
        """Return the artifact's location; one in the store is read with the store's keys, one elsewhere with its own, or none.

        Raises:
            StorageError: the address or its Secret is wrong.

        """
        mine = artifact.credentials is None and artifact.uri.startswith(f"{self.uri.rstrip('/')}/")
        return locate(artifact.uri, self.credentials if mine else artifact.credentials)


def fetch(artifact: Artifact, folder: Path, store: BundleStore) -> BundleManifest:
    """Download the bundle's manifest and the files that it names.

    Raises:
        StorageError: the bundle is missing, forbidden or out of reach.
        BundleRefused: the manifest's digest is not the artifact's, or a file is not the one that the manifest names.

    """
    source = store.resolve(artifact)
    content = read_bytes(source.child(MANIFEST))
    manifest = parse_manifest(content, artifact.digest)
    folder.mkdir(parents=True, exist_ok=True)
    for name, expected in manifest.files.items():
        file = read_bytes(source.child(name))
        if digest_of(file) != expected:
            raise BundleRefused("FileDiffers", f"'{artifact.uri}/{name}' is not the file that manifest.json names: restore it")
        (folder / name).write_bytes(file)
    (folder / MANIFEST).write_bytes(content)
    return manifest
