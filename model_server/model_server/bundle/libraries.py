"""Versions of the libraries that a model depends on, and which of them a bundle may have been made with to be served here.

Not here: loading them; versions are read from the installed metadata.
"""

import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version

from .engine import ONNXRUNTIME, SKLEARN
from .errors import BundleRefused

_NAMES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "onnx", "onnxruntime")

_Release = tuple[int, ...]
"""Major and minor."""


def _same_minor(made: _Release, here: _Release) -> bool:
    return made == here


def _same_major(made: _Release, here: _Release) -> bool:
    return made[0] == here[0]


def _not_newer(made: _Release, here: _Release) -> bool:
    return made[0] == here[0] and made <= here


_RANGES: Mapping[str, Mapping[str, tuple[Callable[[_Release, _Release], bool], str]]] = {
    SKLEARN: {
        "scikit-learn": (_same_minor, "{0}.{1}"),  # fitted attributes mean something only within one minor version
        "skops": (_not_newer, "{0}, up to {0}.{1}"),
        "numpy": (_same_major, "{0}"),
    },
    ONNXRUNTIME: {"onnxruntime": (_not_newer, "{0}, up to {0}.{1}")},  # an older one may lack operators, or compute them otherwise
}


def installed() -> dict[str, str]:
    """Return the versions of Python and of the libraries that make a bundle."""
    return {"python": platform.python_version()} | {name: version(name) for name in _NAMES}


def check_libraries(engine: str, libraries: Mapping[str, str]) -> None:
    """Refuse a bundle whose engine needs a library of another version than this image has.

    Raises:
        BundleRefused: a library is out of range, or the bundle does not say which version it was made with.

    """
    for name, (fits, supported) in _RANGES[engine].items():
        made, here = libraries.get(name, ""), version(name)
        release, ours = _release(made), _release(here)
        if not release or not fits(release, ours):
            raise BundleRefused(
                "LibraryVersion",
                f"the bundle was made with {name} {made[:40] or 'of unknown version'}, this image has {here} and takes bundles of version "
                f"{supported.format(*ours)}: train or package it anew",
            )


def check_graph(error: Exception) -> None:
    """Refuse a graph of an opset or IR version that ONNX Runtime does not know, by how it failed to load it.

    Raises:
        BundleRefused: that is why it failed.

    """
    if "opset" in str(error).lower() or "IR version" in str(error):
        here = version("onnxruntime")
        message = (
            f"the bundle's model.onnx is of an opset or IR version that onnxruntime {here} of this image does not know: package it anew"
        )
        raise BundleRefused("LibraryVersion", message) from error


def _release(text: str) -> _Release:
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if len(parts) == 2 and all(part.isdecimal() for part in parts) else ()
