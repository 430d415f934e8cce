"""The last stage: fetch the bundle from the store, open it as a server would, and return what its manifest states.

Not here: the checks, which are those of every server.
"""

import tempfile
from pathlib import Path

from mlmodel_contract.bundle import MODEL, BundleManifest
from mlmodel_contract.run import Problem, RunDocument, VerifyResult

from ...bundle.errors import BundleRefused
from ...bundle.fetch import BundleStore, fetch
from ...bundle.read import open_bundle
from ...bundle.trusted import check_types
from ...storage import StorageError, StorageUnreachableError


def verify(document: RunDocument) -> VerifyResult:
    """Verify ``document.artifact``.

    Raises:
        ValueError: the document names no artifact; the operator makes none without.

    """
    if document.artifact is None:
        raise ValueError("a run document of stage Verify needs an artifact")
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            manifest = fetch(document.artifact, folder, BundleStore(document.store, document.store_credentials))
            bundle = open_bundle(folder, document.artifact.digest)
            if MODEL in manifest.files:  # also where ONNX serves: the file must be safe for whoever opens it later
                check_types(folder / MODEL)
    except StorageUnreachableError:
        raise
    except (StorageError, BundleRefused) as error:
        return VerifyResult(problems=[Problem(check=error.check, message=str(error)[:400])])
    return _accepted(manifest, bundle.golden.tolerance)


def _accepted(manifest: BundleManifest, tolerance: float) -> VerifyResult:
    return VerifyResult(
        estimator=manifest.estimator.value if manifest.estimator else None,
        libraries=manifest.libraries,
        engine=manifest.engine,
        tolerance=tolerance,
        metrics=manifest.metrics,
    )
