"""A data plane in this process, on a small bundle."""

from pathlib import Path

from model_server.bundle.read import open_bundle
from model_server.prediction_id.ids import Signer
from model_server.serve.inference.data_plane import DataPlane
from model_server.serve.served_model import ServedModel

from devtools.bundles import LinearModel, write_bundle


def plane(folder: Path, model: LinearModel, max_rows: int = 1000) -> DataPlane:
    digest = write_bundle(folder, model, "x-v1")
    bundle = open_bundle(folder, digest)
    made = DataPlane(
        ServedModel("x", "x-v1", bundle.schema, bundle.predictor, "linear", bundle.golden.tolerance), Signer(b"k" * 32, "x-v1"), max_rows
    )
    made.warm_up(bundle.golden)
    return made
