"""Authentication by API key: the keys of a mounted Secret, one a line.

Not here: how a transport carries credentials.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from ..errors import Unauthenticated
from .authenticator import Credentials, bearer_token
from .reloaded_file import InvalidFile, ReloadedFile

_MIN_KEY_LENGTH = 16


class ApiKeyAuthenticator:
    """Allows everybody who has one of the keys; ``digests`` are the keys' sha256."""

    def __init__(self, digests: ReloadedFile[bytes, Sequence[bytes]]) -> None:
        self._digests = digests

    @classmethod
    def from_file(cls, file: Path, secret: str, on_reload: Callable[[str], None]) -> "ApiKeyAuthenticator":
        """Return the authenticator by the keys in a file.

        Args:
            file: the mounted key of the Secret.
            secret: its name for messages.
            on_reload: see ``ReloadedFile``.

        Raises:
            InvalidFile: the file has no usable keys.

        """
        return cls(ReloadedFile(lambda: _read(file, secret), lambda content: _key_digests(content, secret), on_reload))

    def reload_if_changed(self) -> None:
        """Use the keys of the file as it is now."""
        self._digests.reload_if_changed()

    def is_cached(self, credentials: Credentials) -> bool:
        """Return whether the caller has a key."""
        try:
            return self._is_key(_key(credentials))
        except Unauthenticated:
            return False

    async def authenticate(self, credentials: Credentials) -> None:
        """Refuse a caller without a key.

        Raises:
            Unauthenticated: the credentials are none of the keys.

        """
        if not self._is_key(_key(credentials)):
            raise Unauthenticated("the API key is none of this model's: ask its owners for one")

    def _is_key(self, key: bytes) -> bool:
        """Compare with every key, in constant time."""
        digest, found = sha256(key).digest(), False
        for known in self._digests.value:
            found |= compare_digest(digest, known)
        return found


def _key(credentials: Credentials) -> bytes:
    if credentials.api_key is None:
        return bearer_token(credentials.authorization)
    if credentials.authorization is not None:
        raise Unauthenticated("the headers Authorization and X-API-Key are both there: send one of them")
    return credentials.api_key.strip()


def _read(file: Path, secret: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidFile(f"{_described(secret)} cannot be read: create the Secret with that key") from error


def _key_digests(content: bytes, secret: str) -> Sequence[bytes]:
    keys = content.split()
    if not keys or min(map(len, keys)) < _MIN_KEY_LENGTH:
        raise InvalidFile(f"{_described(secret)} must have an API key of at least {_MIN_KEY_LENGTH} characters on each line: put it right")
    return [sha256(key).digest() for key in keys]


def _described(secret: str) -> str:
    return f"the Secret's key '{secret}' of serving.authentication"
