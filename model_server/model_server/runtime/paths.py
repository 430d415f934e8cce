"""Where the contract's paths are in this process: at the root in a pod, below ``$MLMODEL_ROOT`` in tests and on a developer's machine.

Not here: the paths themselves, which are constants of the contract.
"""

import os
from pathlib import Path

ENV_ROOT = "MLMODEL_ROOT"


def resolve_path(path: str) -> Path:
    """Return where one of the contract's absolute paths, such as ``PATH_STORE``, is in this process."""
    return Path(os.environ.get(ENV_ROOT, "/")) / path.removeprefix("/")


def leave_message(path: str, message: str, limit: int) -> None:
    """Leave a termination message of at most ``limit`` bytes; where the file cannot be written (outside of a pod) nothing is left."""
    try:
        resolve_path(path).write_bytes(message.encode()[:limit])
    except OSError:
        return
