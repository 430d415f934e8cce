"""Clients that others wrote, in an environment of their own: their versions of protobuf and of gRPC's messages are not ours.

Not here: what the clients do (``client_scripts/``, which their own Python runs).
"""

import hashlib
import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from devtools.cache import cache_folder

_SCRIPTS = Path(__file__).parent / "client_scripts"
_LOCK = _SCRIPTS / "requirements.txt"
_SECONDS = 300


def run_client(script: str, http: str, grpc: str) -> dict[str, Any]:
    """Run a client against the two addresses; return what each of its calls gave."""
    command = [str(_python()), str(_SCRIPTS / f"{script}.py"), http, grpc]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    calls: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return calls


def _python() -> Path:
    """Make the environment once for each content of its lock, in the cache folder; who comes second in making it takes the first's."""
    folder = cache_folder() / "clients" / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        uv = os.environ.get("UV", "uv")
        _run(uv, "venv", "--quiet", "--clear", "--relocatable", "--python", "3.11", str(made))
        _run(uv, "pip", "install", "--quiet", "--python", str(made / "bin" / "python"), "--requirements", str(_LOCK))
        with suppress(OSError):  # there by now
            made.rename(folder)
        rmtree(made, ignore_errors=True)
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS)
