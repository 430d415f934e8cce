"""The model server: one version behind the Open Inference Protocol.

``tensors`` < ``columns``, ``outputs`` < ``dataplane`` < ``rest``, ``rpc`` < ``server``: the data plane knows no transport, a
transport no model. Not here: training, counting, and anything of Kubernetes.
"""

from .server import run_server

__all__ = ["run_server"]
