"""The one table of the status codes that each protocol has for each error.

gRPC's codes are named, since to import gRPC takes long. Not here: messages, which the errors have.
"""

from collections.abc import Mapping
from typing import NamedTuple

from .errors import (
    Failed,
    Forbidden,
    InvalidRequest,
    NotPossible,
    Overloaded,
    ServeError,
    TooLarge,
    TooLate,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnknownModel,
)


class Status(NamedTuple):
    """An HTTP status, a code of gRPC, and after how many seconds to try again, where that may help."""

    http: int
    grpc: str
    retry_seconds: int | None = None


TABLE: Mapping[type[ServeError], Status] = {
    InvalidRequest: Status(400, "INVALID_ARGUMENT"),
    Unauthenticated: Status(401, "UNAUTHENTICATED"),
    Forbidden: Status(403, "PERMISSION_DENIED"),
    UnknownModel: Status(404, "NOT_FOUND"),
    NotPossible: Status(403, "FAILED_PRECONDITION"),
    TooSlow: Status(408, "DEADLINE_EXCEEDED"),
    TooLarge: Status(413, "INVALID_ARGUMENT"),
    Overloaded: Status(429, "RESOURCE_EXHAUSTED", 1),
    Failed: Status(500, "INTERNAL"),
    Unavailable: Status(503, "UNAVAILABLE", 2),
    TooLate: Status(504, "DEADLINE_EXCEEDED", 1),
}

HTTP_STATUSES: Mapping[type[ServeError], int] = {error: status.http for error, status in TABLE.items()}
RETRY_SECONDS: Mapping[int, str] = {status.http: str(status.retry_seconds) for status in TABLE.values() if status.retry_seconds}
"""What the header Retry-After says, by HTTP status."""
