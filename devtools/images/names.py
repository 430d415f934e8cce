"""Which images there are, and their names: a name changes exactly when something that goes into the image does. Builds nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devtools.errors import DevtoolsError

ROOT = Path(__file__).parents[2]
_PREFIX = "localhost/mlmodel"
_MEMBERS = ("contract", "detection", "operator", "model_server", "cli")  # whose dependencies the lock has
_COMMON = ("Dockerfile", ".dockerignore", "uv.lock", "pyproject.toml", *(f"{member}/pyproject.toml" for member in _MEMBERS))


@dataclass(frozen=True)
class Image:
    """A target of the Dockerfile, and the folders of code that it holds."""

    target: str
    sources: tuple[str, ...]


IMAGES = {
    image.target: image
    for image in (
        Image("operator", ("contract/mlmodel_contract", "detection/mlmodel_detection", "operator/mlmodel_operator")),
        Image("model-server", ("contract/mlmodel_contract", "model_server/model_server")),
    )
}


def image(target: str) -> Image:
    """The image of that target. Raises `DevtoolsError` where there is none."""
    if target not in IMAGES:
        raise DevtoolsError(f"there is no image '{target}': choose one of {', '.join(IMAGES)}")
    return IMAGES[target]


def _files(wanted: Image) -> Iterator[Path]:
    yield from (ROOT / name for name in _COMMON)
    for folder in wanted.sources:
        found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        yield from sorted(found)


def content_hash(wanted: Image, base: str) -> str:
    """12 hexadecimal digits of everything that the image is made of; `base` identifies the base image."""
    digest = hashlib.sha256(base.encode())
    for path in _files(wanted):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\0{path.relative_to(ROOT)}\0{content}".encode())
    return digest.hexdigest()[:12]


def image_name(target: str, tag: str) -> str:
    """The name that a pod names the image by; no registry is asked for it."""
    return f"{_PREFIX}/{target}:{tag}"
