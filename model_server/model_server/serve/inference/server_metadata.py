"""Metadata of the server and its index of models, the same for every protocol.

Not here: how a protocol encodes them.
"""

from importlib.metadata import version
from typing import NamedTuple

from ..served_model import ServedModel

SERVER = "mlmodel-server"
EXTENSIONS = ("binary_tensor_data", "model_repository", "prediction_id", "feedback")

ONE_VERSION = "a server has one version from its start to its end: change the MLModel, or annotate it with mlmodel.dev/rollback-to"


class Entry(NamedTuple):
    """A model in the index of the repository."""

    name: str
    version: str
    state: str
    reason: str


def server_version() -> str:
    """Return the version of the server's package."""
    return version(SERVER)


def index(model: ServedModel, ready: bool, only_ready: bool) -> list[Entry]:
    """Return the index: the one model, unless it is not ready and only ready ones are wanted."""
    if ready:
        return [Entry(model.name, model.version, "READY", "")]
    return [] if only_ready else [Entry(model.name, model.version, "UNAVAILABLE", "the server ends")]
