"""The folder that outlives work trees: built programs, image archives, environments, the cluster's state."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Everything that outlives a work tree: programs, the cluster's state, image archives."""
    if chosen := os.environ.get("MLMODEL_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "mlmodel"
