"""Authentication by tokens of Kubernetes: the API server's answers, cached.

An answer is fresh for half a minute, a refusal for some seconds, and none for longer than the token. While the API server cannot be
reached, a caller that was allowed before stays allowed for some minutes. Answers are cached by the token's digest, allowed and refused
ones apart, so that wrong tokens never evict good ones. Not here: how the API server is asked (``token_review_client.py``).
"""

import asyncio
import base64
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import orjson

from ..errors import Forbidden, Overloaded, ServeError, Unauthenticated, Unavailable
from .authenticator import Credentials, bearer_token

FRESH_SECONDS = 30.0
REFUSED_SECONDS = 5.0
STALE_SECONDS = 300.0
RETRY_SECONDS = 5.0
MAX_CACHED = 10_000
MAX_UNDER_REVIEW = 64
Answer = TypeVar("Answer")
Review = Callable[[str], Awaitable[None]]


@dataclass
class _Allowed:
    """Times in seconds since 1970: until when the answer is fresh, and until when it may be used while there is no newer one."""

    fresh_until: float
    usable_until: float


@dataclass(frozen=True)
class _Refused:
    until: float
    error: ServeError


class KubernetesTokenAuthenticator:
    """Allows whoever the API server allows.

    Args:
        review: asks the API server about a token; raises what ``Authenticator.authenticate`` may.
        clock: returns seconds since 1970.

    """

    def __init__(self, review: Review, clock: Callable[[], float] = time.time) -> None:
        self._review = review
        self._clock = clock
        self._allowed: dict[bytes, _Allowed] = {}
        self._refused: dict[bytes, _Refused] = {}
        self._under_review: dict[bytes, asyncio.Task[None]] = {}

    def is_cached(self, credentials: Credentials) -> bool:
        """Return whether a fresh answer allows the caller."""
        authorization = credentials.authorization
        if authorization is None or authorization[:7] != b"Bearer ":
            return False
        answer = self._allowed.get(sha256(authorization[7:]).digest())
        return answer is not None and self._clock() < answer.fresh_until

    async def authenticate(self, credentials: Credentials) -> None:
        """Use the cached answer, or ask the API server: once for all requests that come with the token meanwhile."""
        token = bearer_token(credentials.authorization)
        digest = sha256(token).digest()
        allowed = self._allowed.get(digest)
        if allowed is not None and self._clock() < allowed.fresh_until:
            return
        refused = self._refused.get(digest)
        if refused is not None and self._clock() < refused.until:
            raise refused.error.with_traceback(None)
        task = self._under_review.get(digest)
        if task is None:
            task = self._start_review(digest, token)
        await asyncio.shield(task)  # a request that is cancelled ends no other request's review

    def _start_review(self, digest: bytes, token: bytes) -> asyncio.Task[None]:
        if len(self._under_review) >= MAX_UNDER_REVIEW:
            raise Overloaded(f"{MAX_UNDER_REVIEW} tokens are under review, which is all that is taken at once: try again in a second")
        task = self._under_review[digest] = asyncio.create_task(self._review_and_cache(digest, token))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # also where no request waits any more
        return task

    async def _review_and_cache(self, digest: bytes, token: bytes) -> None:
        try:
            await self._review(_text(token))
        except Unavailable:
            if not self._use_stale_answer(digest):
                raise
        except (Unauthenticated, Forbidden) as error:
            self._allowed.pop(digest, None)
            _cache(self._refused, digest, _Refused(self._clock() + REFUSED_SECONDS, error))
            raise
        else:
            now, end = self._clock(), expiry(token)
            self._refused.pop(digest, None)
            _cache(self._allowed, digest, _Allowed(min(now + FRESH_SECONDS, end), min(now + STALE_SECONDS, end)))
        finally:
            del self._under_review[digest]

    def _use_stale_answer(self, digest: bytes) -> bool:
        """Return whether a stale answer allows the caller; it is fresh again for some seconds, until the next try."""
        answer, now = self._allowed.get(digest), self._clock()
        if answer is None or now >= answer.usable_until:
            return False
        answer.fresh_until = min(now + RETRY_SECONDS, answer.usable_until)
        return True


def expiry(token: bytes) -> float:
    """Return the time in a token's claim ``exp``, in seconds since 1970; infinity where it has none."""
    parts = token.split(b".")
    if len(parts) != 3:
        return math.inf
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, TypeError, KeyError):
        return math.inf


def _text(token: bytes) -> str:
    try:
        return token.decode("ascii")
    except UnicodeDecodeError as error:
        raise Unauthenticated("the token has characters that no token has: send it as it was given") from error


def _cache(answers: dict[bytes, Answer], digest: bytes, answer: Answer) -> None:
    """Cache an answer; the oldest one is evicted where there are too many."""
    answers.pop(digest, None)
    answers[digest] = answer
    if len(answers) > MAX_CACHED:
        del answers[next(iter(answers))]
