"""How long an answer about a token is good, and how many are kept and asked for at once."""

import asyncio
import base64
import json
import timeit
from collections.abc import Coroutine
from typing import Any

import pytest
from model_server.serve.access import kubernetes_tokens
from model_server.serve.access.api_keys import Credentials
from model_server.serve.access.kubernetes_tokens import TokenReviewAuthenticator, expiry
from model_server.serve.errors import Forbidden, Overloaded, ServeError, Unauthenticated, Unavailable


class Reviews:
    """Answers at once; ``error`` is what it says, and ``open`` lets it answer."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.asked: list[str] = []
        self.error: ServeError | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.callers = TokenReviewAuthenticator(self.review, lambda: self.now)

    async def review(self, token: str) -> None:
        self.asked.append(token)
        await self.open.wait()
        if self.error:
            raise self.error

    def known(self, token: str = "good") -> bool:  # noqa: S107 (no password)
        return self.callers.known(shown(token))

    async def admit(self, token: str = "good") -> None:  # noqa: S107 (no password)
        await self.callers.admit(shown(token))


def shown(token: str) -> Credentials:
    return Credentials(f"Bearer {token}".encode(), None)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def of_claims(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJh.{body}.c2ln"


def test_an_answer_is_good_for_a_while() -> None:
    async def test() -> None:
        reviews = Reviews()
        assert not reviews.known()
        await reviews.admit()
        assert reviews.known()
        assert not reviews.known("another")
        reviews.now += kubernetes_tokens.FRESH_SECONDS - 1
        await reviews.admit()
        assert reviews.asked == ["good"]
        reviews.now += 1
        assert not reviews.known()
        await reviews.admit()
        assert reviews.asked == ["good", "good"]

    run(test())


def test_an_answer_is_good_for_no_longer_than_the_token() -> None:
    async def test() -> None:
        reviews = Reviews()
        token = of_claims({"exp": reviews.now + 3})
        await reviews.admit(token)
        reviews.now += 2
        assert reviews.known(token)
        reviews.now += 1
        assert not reviews.known(token)
        reviews.error = Unavailable("away")
        with pytest.raises(Unavailable):
            await reviews.admit(token)

    run(test())


@pytest.mark.parametrize(
    "token", ["opaque", "a.b.c", "..", of_claims([]), of_claims({}), of_claims({"exp": None}), of_claims({"exp": "x"}), "a.\xff.c"]
)
def test_a_token_that_tells_no_end_has_none(token: str) -> None:
    assert expiry(token.encode("latin-1")) == float("inf")


@pytest.mark.parametrize("error", [Unauthenticated("no"), Forbidden("no")])
def test_a_refusal_is_good_for_seconds(error: ServeError) -> None:
    async def test() -> None:
        reviews = Reviews()
        await reviews.admit()
        reviews.now += kubernetes_tokens.FRESH_SECONDS
        reviews.error = error
        for _ in range(3):
            with pytest.raises(type(error)):
                await reviews.admit()
        assert len(reviews.asked) == 2
        reviews.error = Unavailable("away")
        reviews.now += kubernetes_tokens.REFUSED_SECONDS
        with pytest.raises(Unavailable):  # what was allowed before the refusal is not
            await reviews.admit()
        reviews.error = None
        await reviews.admit()
        assert reviews.known()

    run(test())


def test_while_the_api_server_is_away_who_was_allowed_goes_on_for_minutes_and_is_asked_for_seldom() -> None:
    async def test() -> None:
        reviews = Reviews()
        await reviews.admit()
        began, reviews.error = reviews.now, Unavailable("away")
        with pytest.raises(Unavailable):
            await reviews.admit("new")
        reviews.asked.clear()
        while reviews.now < began + kubernetes_tokens.STALE_SECONDS - 1:
            reviews.now += 1
            await reviews.admit()
        assert 0 < len(reviews.asked) <= kubernetes_tokens.STALE_SECONDS / kubernetes_tokens.AGAIN_SECONDS
        reviews.now += 1
        with pytest.raises(Unavailable):
            await reviews.admit()

    run(test())


def test_a_token_is_asked_for_once_however_many_wait_and_whoever_goes_away() -> None:
    async def test() -> None:
        reviews = Reviews()
        reviews.open.clear()
        waiting = [asyncio.create_task(reviews.admit()) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        reviews.open.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [None] * 19
        assert reviews.asked == ["good"]

    run(test())


def test_only_so_many_tokens_are_asked_for_at_once() -> None:
    async def test() -> None:
        reviews = Reviews()
        await reviews.admit()
        reviews.open.clear()
        reviews.error = Unauthenticated("no")
        waiting = [asyncio.create_task(reviews.admit(f"wrong-{number}")) for number in range(500)]
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        await asyncio.sleep(0)
        assert reviews.known()
        reviews.open.set()
        errors = await asyncio.gather(*done, *others, return_exceptions=True)
        assert len(reviews.asked) == 1 + kubernetes_tokens.MOST_UNDER_REVIEW
        assert sum(isinstance(error, Overloaded) for error in errors) == 500 - kubernetes_tokens.MOST_UNDER_REVIEW

    run(test())


def test_wrong_tokens_fill_no_memory_and_take_no_good_ones_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_tokens, "MOST_KEPT", 50)

    async def test() -> None:
        reviews = Reviews()
        await reviews.admit()
        reviews.error = Unauthenticated("no")
        for number in range(200):
            with pytest.raises(Unauthenticated):
                await reviews.admit(f"wrong-{number}")
        assert reviews.known()
        reviews.asked.clear()
        for number in (0, 199):
            with pytest.raises(Unauthenticated):
                await reviews.admit(f"wrong-{number}")
        assert reviews.asked == ["wrong-0"]

    run(test())


def test_a_hit_costs_microseconds() -> None:
    async def test() -> None:
        reviews = Reviews()
        token = of_claims({"exp": reviews.now + 3600, "filled": "x" * 800})
        await reviews.admit(token)
        credentials = shown(token)
        assert min(timeit.repeat(lambda: reviews.callers.known(credentials), number=100, repeat=50)) / 100 < 50e-6

    run(test())
