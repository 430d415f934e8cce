"""Callers with tokens of Kubernetes: the answers of the API server, kept for a while.

An answer is good for half a minute, one that refuses for seconds, and none for longer than the token. While the API server cannot be
reached, who was allowed before goes on for some minutes. Answers are kept by the token's digest, allowed and refused ones apart, so that
nobody's wrong tokens take the place of good ones. Not here: how the API server is asked (``reviews.py``).
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
from .api_keys import Credentials, bearer

FRESH_SECONDS = 30.0
REFUSED_SECONDS = 5.0
STALE_SECONDS = 300.0
AGAIN_SECONDS = 5.0
MOST_KEPT = 10_000
MOST_UNDER_REVIEW = 64
Answer = TypeVar("Answer")
Review = Callable[[str], Awaitable[None]]


@dataclass
class _Allowed:
    """Until when the answer is fresh, and until when it may be used while there is no other."""

    fresh: float
    usable: float


@dataclass(frozen=True)
class _Refused:
    until: float
    error: ServeError


class TokenReviewAuthenticator:
    """Whoever the API server allows. ``review`` raises what ``Callers.admit`` may; ``clock`` is in seconds since 1970."""

    def __init__(self, review: Review, clock: Callable[[], float] = time.time) -> None:
        self._review = review
        self._clock = clock
        self._allowed: dict[bytes, _Allowed] = {}
        self._refused: dict[bytes, _Refused] = {}
        self._under_review: dict[bytes, asyncio.Task[None]] = {}

    def known(self, credentials: Credentials) -> bool:
        """Tell whether the caller was allowed a short while ago."""
        authorization = credentials.authorization
        if authorization is None or authorization[:7] != b"Bearer ":
            return False
        answer = self._allowed.get(sha256(authorization[7:]).digest())
        return answer is not None and self._clock() < answer.fresh

    async def admit(self, credentials: Credentials) -> None:
        """Ask the API server, once for all requests that come with the token meanwhile."""
        token = bearer(credentials.authorization)
        digest = sha256(token).digest()
        allowed = self._allowed.get(digest)
        if allowed is not None and self._clock() < allowed.fresh:
            return
        refused = self._refused.get(digest)
        if refused is not None and self._clock() < refused.until:
            raise refused.error.with_traceback(None)
        task = self._under_review.get(digest)
        if task is None:
            task = self._begin(digest, token)
        await asyncio.shield(task)  # who goes away ends nobody else's review

    def _begin(self, digest: bytes, token: bytes) -> asyncio.Task[None]:
        if len(self._under_review) >= MOST_UNDER_REVIEW:
            raise Overloaded(f"{MOST_UNDER_REVIEW} tokens are under review, which is all that is taken at once: try again in a second")
        task = self._under_review[digest] = asyncio.create_task(self._reviewed(digest, token))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # also where nobody waits any more
        return task

    async def _reviewed(self, digest: bytes, token: bytes) -> None:
        """Review a token and keep the answer."""
        try:
            await self._review(_text(token))
        except Unavailable:
            if not self._goes_on(digest):
                raise
        except (Unauthenticated, Forbidden) as error:
            self._allowed.pop(digest, None)
            _keep(self._refused, digest, _Refused(self._clock() + REFUSED_SECONDS, error))
            raise
        else:
            now, end = self._clock(), expiry(token)
            self._refused.pop(digest, None)
            _keep(self._allowed, digest, _Allowed(min(now + FRESH_SECONDS, end), min(now + STALE_SECONDS, end)))
        finally:
            del self._under_review[digest]

    def _goes_on(self, digest: bytes) -> bool:
        """Without an answer, use the one before, if there is a usable one; the next try comes after a few seconds."""
        answer, now = self._allowed.get(digest), self._clock()
        if answer is None or now >= answer.usable:
            return False
        answer.fresh = min(now + AGAIN_SECONDS, answer.usable)
        return True


def expiry(token: bytes) -> float:
    """Return until when a token is good by its own words, in seconds since 1970; without end if it tells nothing of it."""
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


def _keep(kept: dict[bytes, Answer], digest: bytes, answer: Answer) -> None:
    """Keep an answer; the oldest one goes where there are too many."""
    kept.pop(digest, None)
    kept[digest] = answer
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
