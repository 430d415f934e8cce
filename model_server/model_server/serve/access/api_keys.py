"""Who may call: what a request shows, and the callers that are known by an API key.

Transports ask ``known`` first, which takes microseconds, and wait for ``admit`` only where it says no. Not here: how a transport carries
credentials, and tokens of Kubernetes (``tokens.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import NamedTuple, Protocol

from ..errors import Unauthenticated
from .reloaded_file import InvalidFile, ReloadedFile

_FEWEST_CHARACTERS = 16
_LONGEST_TOKEN = 16_384


class Credentials(NamedTuple):
    """The values of ``authorization`` and ``x-api-key``, as they came."""

    authorization: bytes | None
    api_key: bytes | None


def credentials_of(headers: Mapping[bytes, bytes]) -> Credentials:
    """Return what a request shows by its headers, whose names are in small letters."""
    return Credentials(headers.get(b"authorization"), headers.get(b"x-api-key"))


class Authenticator(Protocol):
    """The callers of a model."""

    def known(self, credentials: Credentials) -> bool:
        """Tell whether the caller may call, as far as is known without waiting."""

    async def admit(self, credentials: Credentials) -> None:
        """Find out whether the caller may call.

        Raises:
            Unauthenticated: the credentials are none, or no good ones.
            Forbidden: the caller is known, and may not.
            Unavailable: it cannot be found out now.

        """


def bearer(authorization: bytes | None) -> bytes:
    """Return the token of an ``Authorization`` header.

    >>> bearer(b"Bearer abc")
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
    if len(token) > _LONGEST_TOKEN:
        raise Unauthenticated(f"the token is longer than {_LONGEST_TOKEN} bytes, as none that is good here is: send another")
    return token


class ApiKeyAuthenticator:
    """Whoever has one of the keys; ``keys`` are their digests."""

    def __init__(self, keys: ReloadedFile[bytes, Sequence[bytes]]) -> None:
        self._keys = keys

    @classmethod
    def of(cls, file: Path, secret: str, told: Callable[[str], None]) -> "ApiKeyAuthenticator":
        """Return the callers with a key in the file, of which ``secret`` is the name for people.

        Raises:
            Unusable: there is none.

        """
        return cls(ReloadedFile(lambda: _read(file, secret), lambda content: _digests(content, secret), told))

    def look(self) -> None:
        """Take keys that have changed."""
        self._keys.look()

    def known(self, credentials: Credentials) -> bool:
        """Tell whether the caller has a key."""
        try:
            return self._is_key(_key(credentials))
        except Unauthenticated:
            return False

    async def admit(self, credentials: Credentials) -> None:
        """Refuse a caller that has none."""
        if not self._is_key(_key(credentials)):
            raise Unauthenticated("the API key is none of this model's: ask its owners for one")

    def _is_key(self, key: bytes) -> bool:
        """Compare with each key, in a time that tells nothing of them."""
        digest, found = sha256(key).digest(), False
        for one in self._keys.value:
            found |= compare_digest(digest, one)
        return found


def _key(credentials: Credentials) -> bytes:
    if credentials.api_key is None:
        return bearer(credentials.authorization)
    if credentials.authorization is not None:
        raise Unauthenticated("the headers Authorization and X-API-Key are both there: send one of them")
    return credentials.api_key.strip()


def _read(file: Path, secret: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidFile(f"{_named(secret)} cannot be read: create the Secret with that key") from error


def _digests(content: bytes, secret: str) -> Sequence[bytes]:
    keys = content.split()
    if not keys or min(map(len, keys)) < _FEWEST_CHARACTERS:
        raise InvalidFile(f"{_named(secret)} must have an API key of at least {_FEWEST_CHARACTERS} characters on each line: put it right")
    return [sha256(key).digest() for key in keys]


def _named(secret: str) -> str:
    return f"the Secret's key '{secret}' of serving.authentication"
