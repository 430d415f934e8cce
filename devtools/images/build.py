"""Builds images into archives, once for each content, and says what they are called. How one is built is an engine's business."""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from devtools import programs
from devtools.cache import cache_folder
from devtools.cluster import image_archives
from devtools.files import locked
from devtools.images import engines
from devtools.images.names import IMAGES, content_hash, image, image_name

_ARCHIVES_OF_EACH = 2  # this one, and the one before for whoever goes back


@cache
def _engine() -> engines.Engine:
    return engines.choose()


def image_names() -> dict[str, str]:
    """The name of each image by its target, as its sources are now, built or not."""
    return {target: image_name(target, content_hash(wanted, _engine().base)) for target, wanted in IMAGES.items()}


def build(target: str, report: Callable[[str], None] = lambda _: None) -> Path:
    """Return the archive of the image of that target (`docker save`'s format); build it where it is not there yet.

    An archive appears whole or not at all, and two sessions do not build at once. Raises `DevtoolsError`.
    """
    tag = content_hash(image(target), _engine().base)
    folder = cache_folder() / "images"
    archive = folder / f"{target}-{tag}.tar"
    with locked(folder / "build.lock", lambda: report("another session builds images, waiting")):
        if not archive.is_file():
            temporary = folder / f".{target}.tar"
            temporary.unlink(missing_ok=True)
            _engine().build(engines.Order(target, image_name(target, tag), temporary), report)
            temporary.rename(archive)
        os.utime(archive)
        _prune(folder, target)
    return archive


def build_s3(report: Callable[[str], None] = lambda _: None) -> Path:
    """Return the archive of the image of versitygw, the S3 server of the demo and the tests, which runs as a user of no rights."""
    program = programs.executable("versitygw", report=report)
    tag = hashlib.sha256(program.parent.name.encode()).hexdigest()[:12]  # the folder's name holds the hash of the sources
    archive = cache_folder() / "images" / f"versitygw-{tag}.tar"
    if not archive.is_file():
        image_archives.write_single_program(archive, image_name("versitygw", tag), program)
    return archive


def _prune(folder: Path, target: str) -> None:
    """Remove the archives that were used longest ago: each is hundreds of megabytes."""
    archives = sorted(folder.glob(f"{target}-????????????.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for archive in archives[_ARCHIVES_OF_EACH:]:
        archive.unlink()
