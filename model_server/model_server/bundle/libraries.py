"""Versions of the libraries that a model depends on.

Not here: loading them; versions are read from the installed metadata.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import version

from .errors import BundleRefused

_NAMES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "onnx", "onnxruntime")


def installed() -> dict[str, str]:
    """Return the versions of Python and of the libraries that make a bundle."""
    return {"python": platform.python_version()} | {name: version(name) for name in _NAMES}


def check_libraries(libraries: Mapping[str, str]) -> None:
    """Refuse a pipeline of another scikit-learn: its attributes mean something only within one minor version.

    Raises:
        BundleRefused: the bundle was made with another minor version of scikit-learn, or does not say which.

    """
    made, here = libraries.get("scikit-learn", ""), version("scikit-learn")
    if made.split(".")[:2] != here.split(".")[:2]:
        message = f"the bundle was made with scikit-learn {made or 'of unknown version'}, this image has {here}: train or package it anew"
        raise BundleRefused("LibraryVersion", message)
