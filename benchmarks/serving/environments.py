"""Environments of the peers: one for each, as its requirements file pins it, made once a machine and kept in the cache folder.

Not here: what runs in them.
"""

import hashlib
import os
import subprocess
from pathlib import Path

from devtools.cache import cache_folder
from devtools.files import locked

_REQUIREMENTS = Path(__file__).parent / "requirements"
_PYTHON = "3.11"
_MOST_SECONDS = 1_800


class NotInstalledError(RuntimeError):
    """A peer whose packages cannot be brought here."""


def python_of(name: str, folder: Path = _REQUIREMENTS) -> Path:
    """Return the Python of an environment; make it where it is not there as its file in ``folder`` says.

    Raises:
        NotInstalledError: with what uv said.

    """
    requirements = folder / f"{name}.txt"
    key = hashlib.sha256(_PYTHON.encode() + b"\0" + requirements.read_bytes()).hexdigest()[:16]
    made = cache_folder() / "peers" / f"{name}-{key}"
    python, whole = made / "bin/python", made / "whole"  # the latter is written last
    with locked(made.with_suffix(".lock")):
        if not whole.exists():
            _uv("venv", "--quiet", "--clear", "--python", _PYTHON, str(made))
            _uv("pip", "install", "--quiet", "--python", str(python), "--requirements", str(requirements))
            whole.touch()
    return python


def _uv(*words: str) -> None:
    try:
        subprocess.run([os.environ.get("UV", "uv"), *words], capture_output=True, text=True, check=True, timeout=_MOST_SECONDS)
    except subprocess.CalledProcessError as error:
        raise NotInstalledError(error.stderr.strip()[-200:]) from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"uv did not end within {_MOST_SECONDS} s") from error
