"""The operator's settings, from environment variables that the chart sets.

Not here: defaults of manifests, which are the CRD's.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StoreSettings:
    """Where artifacts, captured rows and labels are stored: in a claim for each model, or in one bucket for all."""

    uri: str  # "pvc", or s3://bucket/prefix
    credentials: str | None  # Secret of the model's namespace
    size: str
    storage_class: str | None
    access_mode: str

    @property
    def is_claim(self) -> bool:
        """Whether each model has a PersistentVolumeClaim of its own."""
        return self.uri == "pvc"


@dataclass(frozen=True)
class Config:
    """All settings."""

    server_image: str
    store: StoreSettings
    namespace: str | None  # the one to watch; all where None
    reporter_role: str
    reviewer_role: str
    identity: str
    own_namespace: str
    log_level: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read the environment.

        Raises:
            ValueError: a variable that has no default is missing, or the store is neither ``pvc`` nor an s3:// URI.
        """
        if not environ.get("MLMODEL_SERVER_IMAGE"):
            raise ValueError("MLMODEL_SERVER_IMAGE is not set: name the model server's image (chart value modelServer.image)")
        store = environ.get("MLMODEL_STORE", "pvc")
        if store != "pvc" and not store.startswith("s3://"):
            raise ValueError(f"MLMODEL_STORE is '{store}': write pvc, or s3://bucket/prefix (chart value store.uri)")
        return cls(
            server_image=environ["MLMODEL_SERVER_IMAGE"],
            store=StoreSettings(
                uri=store.rstrip("/"),
                credentials=environ.get("MLMODEL_STORE_CREDENTIALS") or None,
                size=environ.get("MLMODEL_STORE_SIZE", "10Gi"),
                storage_class=environ.get("MLMODEL_STORE_CLASS") or None,
                access_mode=environ.get("MLMODEL_STORE_ACCESS_MODE", "ReadWriteOnce"),
            ),
            namespace=environ.get("MLMODEL_NAMESPACE") or None,
            reporter_role=environ.get("MLMODEL_REPORTER_ROLE", "mlmodel-operator-reporter"),
            reviewer_role=environ.get("MLMODEL_REVIEWER_ROLE", "mlmodel-operator-reviewer"),
            identity=environ.get("POD_NAME", "mlmodel-operator"),
            own_namespace=environ.get("POD_NAMESPACE", "default"),
            log_level=environ.get("MLMODEL_LOG_LEVEL", "INFO"),
        )
