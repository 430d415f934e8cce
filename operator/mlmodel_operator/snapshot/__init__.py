"""The state of one MLModel, gathered from the cache into frozen objects; all that ``decide`` sees.

Not here: any decision.
"""

from .gather import UnreadableModelError, gather
from .objects import ContainerTermination, Deployment, Job, JobCondition, Model, Pod, RoleBinding, Service, Snapshot, Version
from .parse import role_binding

__all__ = [
    "ContainerTermination",
    "Deployment",
    "Job",
    "JobCondition",
    "Model",
    "Pod",
    "RoleBinding",
    "Service",
    "Snapshot",
    "UnreadableModelError",
    "Version",
    "gather",
    "role_binding",
]
