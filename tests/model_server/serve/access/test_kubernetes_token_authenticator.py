"""How long an answer about a token is good, how many are cached, and how many tokens are under review at once."""

import asyncio
import base64
import json
import timeit
from collections.abc import Coroutine
from typing import Any

import pytest
from model_server.serve.access import kubernetes_token_authenticator as module
from model_server.serve.access.authenticator import Credentials
from model_server.serve.access.kubernetes_token_authenticator import KubernetesTokenAuthenticator, expiry
from model_server.serve.errors import Forbidden, Overloaded, ServeError, Unauthenticated, Unavailable


class FakeReviews:
    """The authenticator before a fake API server, which answers with ``error`` while ``open`` is set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.reviewed: list[str] = []
        self.error: ServeError | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.authenticator = KubernetesTokenAuthenticator(self.review, lambda: self.now)

    async def review(self, token: str) -> None:
        self.reviewed.append(token)
        await self.open.wait()
        if self.error:
            raise self.error

    def is_cached(self, token: str = "good") -> bool:  # noqa: S107 (no password)
        return self.authenticator.is_cached(bearer(token))

    async def authenticate(self, token: str = "good") -> None:  # noqa: S107 (no password)
        await self.authenticator.authenticate(bearer(token))


def bearer(token: str) -> Credentials:
    return Credentials(f"Bearer {token}".encode(), None)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def token_with(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJh.{body}.c2ln"


def test_an_answer_is_good_for_a_while() -> None:
    async def test() -> None:
        reviews = FakeReviews()
        assert not reviews.is_cached()
        await reviews.authenticate()
        assert reviews.is_cached()
        assert not reviews.is_cached("another")
        reviews.now += module.FRESH_SECONDS - 1
        await reviews.authenticate()
        assert reviews.reviewed == ["good"]
        reviews.now += 1
        assert not reviews.is_cached()
        await reviews.authenticate()
        assert reviews.reviewed == ["good", "good"]

    run(test())


def test_an_answer_is_good_for_no_longer_than_the_token() -> None:
    async def test() -> None:
        reviews = FakeReviews()
        token = token_with({"exp": reviews.now + 3})
        await reviews.authenticate(token)
        reviews.now += 2
        assert reviews.is_cached(token)
        reviews.now += 1
        assert not reviews.is_cached(token)
        reviews.error = Unavailable("away")
        with pytest.raises(Unavailable):
            await reviews.authenticate(token)

    run(test())


@pytest.mark.parametrize(
    "token", ["opaque", "a.b.c", "..", token_with([]), token_with({}), token_with({"exp": None}), token_with({"exp": "x"}), "a.\xff.c"]
)
def test_a_token_without_a_readable_expiry_has_none(token: str) -> None:
    assert expiry(token.encode("latin-1")) == float("inf")


@pytest.mark.parametrize("error", [Unauthenticated("no"), Forbidden("no")])
def test_a_refusal_is_good_for_seconds(error: ServeError) -> None:
    async def test() -> None:
        reviews = FakeReviews()
        await reviews.authenticate()
        reviews.now += module.FRESH_SECONDS
        reviews.error = error
        for _ in range(3):
            with pytest.raises(type(error)):
                await reviews.authenticate()
        assert len(reviews.reviewed) == 2
        reviews.error = Unavailable("away")
        reviews.now += module.REFUSED_SECONDS
        with pytest.raises(Unavailable):  # what was allowed before the refusal is not
            await reviews.authenticate()
        reviews.error = None
        await reviews.authenticate()
        assert reviews.is_cached()

    run(test())


def test_while_the_api_server_is_away_who_was_allowed_goes_on_for_minutes_and_is_asked_for_seldom() -> None:
    async def test() -> None:
        reviews = FakeReviews()
        await reviews.authenticate()
        began, reviews.error = reviews.now, Unavailable("away")
        with pytest.raises(Unavailable):
            await reviews.authenticate("new")
        reviews.reviewed.clear()
        while reviews.now < began + module.STALE_SECONDS - 1:
            reviews.now += 1
            await reviews.authenticate()
        assert 0 < len(reviews.reviewed) <= module.STALE_SECONDS / module.RETRY_SECONDS
        reviews.now += 1
        with pytest.raises(Unavailable):
            await reviews.authenticate()

    run(test())


def test_a_token_is_asked_for_once_however_many_wait_and_whoever_goes_away() -> None:
    async def test() -> None:
        reviews = FakeReviews()
        reviews.open.clear()
        waiting = [asyncio.create_task(reviews.authenticate()) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        reviews.open.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [None] * 19
        assert reviews.reviewed == ["good"]

    run(test())


def test_only_so_many_tokens_are_asked_for_at_once() -> None:
    async def test() -> None:
        reviews = FakeReviews()
        await reviews.authenticate()
        reviews.open.clear()
        reviews.error = Unauthenticated("no")
        waiting = [asyncio.create_task(reviews.authenticate(f"wrong-{number}")) for number in range(500)]
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        await asyncio.sleep(0)
        assert reviews.is_cached()
        reviews.open.set()
        errors = await asyncio.gather(*done, *others, return_exceptions=True)
        assert len(reviews.reviewed) == 1 + module.MAX_UNDER_REVIEW
        assert sum(isinstance(error, Overloaded) for error in errors) == 500 - module.MAX_UNDER_REVIEW

    run(test())


def test_wrong_tokens_fill_no_memory_and_evict_no_good_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED", 50)

    async def test() -> None:
        reviews = FakeReviews()
        await reviews.authenticate()
        reviews.error = Unauthenticated("no")
        for number in range(200):
            with pytest.raises(Unauthenticated):
                await reviews.authenticate(f"wrong-{number}")
        assert reviews.is_cached()
        reviews.reviewed.clear()
        for number in (0, 199):
            with pytest.raises(Unauthenticated):
                await reviews.authenticate(f"wrong-{number}")
        assert reviews.reviewed == ["wrong-0"]

    run(test())


def test_a_hit_costs_microseconds() -> None:
    async def test() -> None:
        reviews = FakeReviews()
        token = token_with({"exp": reviews.now + 3600, "filled": "x" * 800})
        await reviews.authenticate(token)
        credentials = bearer(token)
        assert min(timeit.repeat(lambda: reviews.authenticator.is_cached(credentials), number=100, repeat=50)) / 100 < 50e-6

    run(test())
