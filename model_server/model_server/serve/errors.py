"""What can be wrong with a request. The messages are for the caller: one sentence with the remedy.

Not here: HTTP statuses, which the transport maps these to.
"""


class ServeError(Exception):
    """A request that is not answered as it was meant."""


class InvalidRequest(ServeError):
    """The request cannot be understood, or does not fit the schema."""


class UnknownModel(ServeError):
    """The request names a model or version that this server does not have."""


class NotPossible(ServeError):
    """The request asks for what this server never does."""


class Unauthenticated(ServeError):
    """The request does not show who calls."""


class Forbidden(ServeError):
    """The caller may not call this model."""


class TooLarge(ServeError):
    """The request is longer than the limit."""


class TooSlow(ServeError):
    """The request's body did not arrive in time."""


class Overloaded(ServeError):
    """More requests are under way than the server takes at once."""


class TooLate(ServeError):
    """The request was not computed before its deadline."""


class Failed(ServeError):
    """The server failed; the reason is in its log, and is none of the caller's business."""


class Unavailable(ServeError):
    """A part that the answer needs does not answer now."""


class StartRefused(Exception):
    """The server must not start: the bundle, or what the pod was given, cannot be served."""
