"""The server keeps to the limits of the manifest, which its pod's document has."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from mlmodel_contract.manifest import BatcherSettings, ServerSettings
from mlmodel_contract.manifest import RequestLimits as Declared
from model_server.serve.limits import ServerLimits

from devtools.bundles import late_flights
from devtools.pods import ServerPod, pod
from tests.model_server.support.request_bodies import flights


@contextmanager
def served(**settings: Any) -> Iterator[ServerPod]:
    with pod(late_flights(), serving=settings) as made:
        made.serve()
        yield made


def at_once(made: ServerPod, requests: int) -> list[httpx.Response]:
    with ThreadPoolExecutor(requests) as threads:
        return list(threads.map(lambda _: httpx.post(f"{made.model_url}/infer", json=flights(), timeout=30), range(requests)))


@pytest.mark.slow
def test_requests_wait_for_others_as_long_as_the_document_says() -> None:
    with served(batcher={"max_latency": "900ms"}) as made:
        started = time.monotonic()
        assert made.infer(flights()).status_code == 200
        assert time.monotonic() - started >= 0.9
        assert {answer.status_code for answer in at_once(made, 4)} == {200}
        assert made.served("batch_rows_sum") == 5
        assert made.served("batch_rows_count") < 5


@pytest.mark.slow
def test_a_full_batch_waits_for_nobody() -> None:
    with served(batcher={"max_batch_size": 4, "max_latency": "30s"}) as made:
        assert {answer.status_code for answer in at_once(made, 4)} == {200}
        assert made.served("batch_rows_count") == 1


@pytest.mark.slow
def test_a_request_past_a_limit_is_refused_with_the_reason() -> None:
    with served(limits={"max_body_bytes": 2048, "max_rows": 3, "max_requests": 1}, batcher={"max_latency": "900ms"}) as made:
        assert made.infer(flights(3)).status_code == 200
        many, long = made.infer(flights(4)), made.infer(flights(1) | {"id": "x" * 3000})
        assert (many.status_code, long.status_code) == (413, 413)
        assert "2048 bytes" in long.json()["error"]
        assert sorted(answer.status_code for answer in at_once(made, 3)) == [200, 429, 429]


@pytest.mark.slow
def test_a_request_past_the_timeout_is_given_up() -> None:
    with served(timeout="100ms", batcher={"max_latency": "500ms"}) as made:
        answer = made.infer(flights())
        assert answer.status_code == 504
        assert "within 0.1 s" in answer.json()["error"]


def test_workers_share_what_is_the_pods() -> None:
    settings = ServerSettings(
        workers=3, limits=Declared(max_requests=10, max_body_bytes=50 * 2**20), batcher=BatcherSettings(max_batch_size=7)
    )
    one, whole = ServerLimits.from_settings(settings), ServerLimits.from_settings(ServerSettings())
    assert (one.requests, one.batch_rows, one.body_bytes) == (4, 7, 50 * 2**20)
    assert one.buffered_bytes == one.body_bytes > whole.buffered_bytes / 3
    assert one.threads == max(1, whole.threads // 3)
    assert 3 * one.connections >= whole.connections > 2 * one.connections


def test_a_manifest_that_sets_nothing_has_the_servers_own_defaults() -> None:
    assert ServerLimits.from_settings(ServerSettings()) == ServerLimits(threads=ServerLimits.from_settings(ServerSettings()).threads)
