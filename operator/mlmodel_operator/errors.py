"""The operator's own errors; foreign ones are converted at the boundary (``cluster/client.py``).

Not here: how an error is answered.
"""


class OperatorError(Exception):
    """The base of all errors of this package."""


class ClusterError(OperatorError):
    """The Kubernetes API refused a request or could not be reached; worth another try."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RefusedError(ClusterError):
    """The API server refuses this very object (HTTP 400, 403, 422), or somebody else's has its name; others may still be accepted."""


class ConflictError(ClusterError):
    """The object has changed since it was read, or exists already (HTTP 409)."""
