"""What the transports work with: one set of services, made once by ``server.py``.

Not here: any transport.
"""

from dataclasses import dataclass

from mlmodel_contract.manifest import Authentication

from ..runtime.workers import WorkerChannel
from .admission import Admission
from .compute_pool import ComputePool
from .in_flight import InFlightRequests
from .inference.batcher import Batcher
from .inference.data_plane import DataPlane
from .label_forwarder import LabelForwarder
from .labels import FeedbackPlane
from .limits import ServerLimits
from .telemetry.metrics import ServerMetrics
from .telemetry.trace_context import Traces


@dataclass(frozen=True)
class ServerServices:
    """The services of one server.

    ``authentication`` is None where everybody may call, ``channel`` where this process is the pod's only worker.
    """

    limits: ServerLimits
    plane: DataPlane
    pool: ComputePool
    batcher: Batcher
    admission: Admission
    feedback: FeedbackPlane
    forwarder: LabelForwarder
    in_flight: InFlightRequests
    metrics: ServerMetrics
    traces: Traces
    authentication: Authentication | None = None
    channel: WorkerChannel | None = None

    def ready(self) -> bool:
        """Return whether requests should be sent to this pod: it does not drain, and all of its workers are ready."""
        return not self.in_flight.draining and (self.channel is None or self.channel.all_ready)
