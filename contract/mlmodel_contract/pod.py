"""``PodDocument``: all settings of a model-server pod's containers, in one environment variable.

Not here: the bundle's own content, and paths and ports, which are constants of ``environment.py``.
"""

from pydantic import Field

from .base import Document, Duration
from .manifest import TLS, Authentication, ServerSettings, Tracing
from .version import Artifact


class PodDocument(Document):
    """What fetch, serve and monitor need to know."""

    contract: int = Field(description="Version of the contract.")
    namespace: str
    model: str = Field(description="Name of the MLModel, and of the model in the inference protocol.")
    version: str = Field(description="Name of the ModelVersion.")
    model_uid: str = Field(description="uid of the MLModel.")
    version_uid: str = Field(description="uid of the ModelVersion, owner of this pod's MonitorReport.")
    artifact: Artifact
    store: str = Field(description="URI below which captured rows are written.")
    store_credentials: str | None = Field(None, description="Secret with the store's keys, mounted below PATH_SECRETS.")
    report_every: Duration = "30s"
    heartbeat: Duration = "5m"
    label_delay: Duration = "7d"
    complete_after: Duration | None = Field(
        None,
        description="labels.completeAfter of the manifest; absent where it has none, so that an earlier server reads the rest.",
    )
    capture_fraction: float = Field(1.0, ge=0, le=1)
    capture_retention: Duration = "90d"
    tracing: Tracing | None = Field(None, description="Where spans of requests are sent.")
    drain: Duration = Field("30s", description="Longest time that requests in flight are given when the pod ends.")
    tls: TLS | None = Field(None, description="Speak TLS with the pair in PATH_TLS.")
    authentication: Authentication | None = Field(
        None, description="Who may call: by PATH_API_KEYS, or by the API server, with PATH_TOKEN."
    )
    serving: ServerSettings | None = Field(
        None,
        description="What the manifest sets of the server; absent where it sets nothing, so that an earlier server reads the rest.",
    )
