"""The command ``fetch``: what a pod's init step does.

Not here: the download, which is ``fetch.py``.
"""

import logging
import os

from mlmodel_contract.environment import ENV_POD, PATH_BUNDLE, PATH_TERMINATION
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import MESSAGE_LIMIT

from ..runtime.paths import leave_message, resolve_path
from ..storage import StorageError
from .errors import BundleRefused
from .fetch import BundleStore, fetch

_log = logging.getLogger(__name__)


def run_fetch() -> int:
    """Fetch the bundle of ``$MLMODEL_POD`` into the bundle folder; return the exit code, 1 with the reason as termination message."""
    document = PodDocument.model_validate_json(os.environ[ENV_POD])
    try:
        manifest = fetch(document.artifact, resolve_path(PATH_BUNDLE), BundleStore(document.store, document.store_credentials))
    except (StorageError, BundleRefused) as error:
        _log.error("%s: %s", error.check, error)
        leave_message(PATH_TERMINATION, f"{error.check}: {error}", MESSAGE_LIMIT)
        return 1
    _log.info("fetched %s: %d files", document.version, len(manifest.files))
    return 0
