"""Errors of requests. The messages are for the caller: one sentence with the remedy.

Not here: the statuses that transports map them to (``status_codes.py``).
"""


class ServeError(Exception):
    """A request that cannot be answered."""


class InvalidRequest(ServeError):
    """The request cannot be understood, or does not fit the schema."""


class UnknownModel(ServeError):
    """The request names a model or version that this server does not have."""


class NotPossible(ServeError):
    """The request asks for an operation that this server does not support."""


class Unauthenticated(ServeError):
    """The request has no valid credentials."""


class Forbidden(ServeError):
    """The caller may not call this model."""


class TooLarge(ServeError):
    """The request is longer than the limit."""


class TooSlow(ServeError):
    """The request's body did not arrive in time."""


class Overloaded(ServeError):
    """More requests are in flight than the limit."""


class TooLate(ServeError):
    """The request was not computed before its deadline."""


class Failed(ServeError):
    """The server failed; the reason is in its log alone."""


class Unavailable(ServeError):
    """A service that the answer depends on does not answer now."""


class StartRefused(Exception):
    """The server must not start: the bundle, or what the pod was given, cannot be served."""
