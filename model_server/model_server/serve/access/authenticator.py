"""What every kind of authentication has in common: the credentials of a request, and the protocol ``Authenticator``.

A transport asks ``is_cached`` first, which takes microseconds, and awaits ``authenticate`` only where that is false. Not here: how a
transport carries credentials, and which credentials are good.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ..errors import Unauthenticated

_MAX_TOKEN_BYTES = 16_384


class Credentials(NamedTuple):
    """The values of the headers ``authorization`` and ``x-api-key``, as received."""

    authorization: bytes | None
    api_key: bytes | None

    @classmethod
    def from_headers(cls, headers: Mapping[bytes, bytes]) -> "Credentials":
        """Return the credentials among headers, whose names are in lower case."""
        return cls(headers.get(b"authorization"), headers.get(b"x-api-key"))


class Authenticator(Protocol):
    """Decides who may call the model."""

    def is_cached(self, credentials: Credentials) -> bool:
        """Return whether the caller is known, without waiting, to be allowed; false where only ``authenticate`` can tell."""

    async def authenticate(self, credentials: Credentials) -> None:
        """Return if the caller may call the model.

        Raises:
            Unauthenticated: the credentials are missing or invalid.
            Forbidden: the caller is known, and may not.
            Unavailable: it cannot be decided now.

        """


def bearer_token(authorization: bytes | None) -> bytes:
    """Return the token of an ``Authorization`` header.

    >>> bearer_token(b"Bearer abc")
    b'abc'

    Raises:
        Unauthenticated: there is none.

    """
    if authorization is None:
        raise Unauthenticated("this model is for callers that it knows: send the header Authorization: Bearer TOKEN")
    scheme, _, token = authorization.partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise Unauthenticated("the header Authorization must be 'Bearer', a space, and the token")
    if len(token) > _MAX_TOKEN_BYTES:
        raise Unauthenticated(f"the token is longer than {_MAX_TOKEN_BYTES} bytes, as none that is good here is: send another")
    return token
