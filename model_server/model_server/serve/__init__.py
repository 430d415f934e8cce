"""The model server: one version behind the Open Inference Protocol.

``server`` > ``http``, ``grpc`` > ``inference`` > ``telemetry``, and ``access`` for both transports: the data plane knows no transport, a
transport no model. Not here: training, monitoring, and anything of Kubernetes.
"""

from .server import run_server

__all__ = ["run_server"]
