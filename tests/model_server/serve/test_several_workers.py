"""Several workers in one pod: they share its ports, count together, drain together, and end together."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest
import uvicorn
from mlmodel_contract.environment import PATH_BUNDLE, PATH_TERMINATION
from model_server.serve.http.unix_listener import listen_locally

from devtools.bundles import late_flights
from devtools.pods import DEADLINE_SECONDS, ServerPod, pod, poll
from tests.model_server.support.grpc_calls import caller, packed
from tests.model_server.support.request_bodies import flights, ids, labels, tensor

pytestmark = pytest.mark.slow

TWO = {"serving": {"workers": 2}}


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def rows_of_each(made: ServerPod) -> list[float]:
    return [made.served("worker_rows_total", worker=worker) for worker in ("1", "2")]


def infer_anew(made: ServerPod, rows: int = 1) -> httpx.Response:
    """Predict over a connection of its own."""
    return httpx.post(f"{made.model_url}/infer", json=flights(rows), timeout=30)


def test_both_workers_answer_and_the_sidecar_counts_the_rows_of_both() -> None:
    with pod(late_flights(), **TWO) as made:
        _, server = made.start_both()
        assert len(children(server)) == 2
        sent = 0
        while sent < 40 or min(rows_of_each(made)) < 6:
            answers = [infer_anew(made, 2) for _ in range(5)]
            assert all(answer.status_code == 200 for answer in answers)
            sent += 10
        assert sum(rows_of_each(made)) == made.served("rows_total") == sent
        assert made.served("requests_total", endpoint="infer", code="200") == sent / 2
        assert made.served("model_info") == 1
        made.label(labels(ids(answers[0]), True))
        poll(lambda: made.monitored("rows_total", outcome="counted") == sent, "the rows")
        assert made.monitored("rows_total", outcome="missed") == 0
        poll(lambda: made.served("labels_total", outcome="accepted") == 2, "the labels")


def test_grpc_is_answered_by_both_workers() -> None:
    with pod(late_flights(), **TWO) as made:
        made.serve()
        request = packed(flights(1, carrier=tensor("carrier", "BYTES", ["AA"])))

        def both_were_called() -> bool:
            with caller(made.grpc_address) as call:  # a connection of its own
                call("ModelInfer", request)
            return min(rows_of_each(made)) > 0

        poll(both_were_called, "an answer of each worker")


def test_none_fails_of_many_that_listen_on_the_pods_own_socket_at_once(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"

    async def listen() -> None:
        config = uvicorn.Config(httpx.ASGITransport, log_config=None)
        async with await listen_locally(path, config, uvicorn.Server(config)):
            pass

    def listen_often(_: int) -> None:
        for _ in range(25):
            asyncio.run(listen())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(listen_often, range(8)))
    assert [file.name for file in tmp_path.iterdir()] == ["server.sock"]


def test_one_worker_is_no_process_more() -> None:
    with pod(late_flights(), serving={"workers": 1}) as made:
        assert children(made.serve()) == []


@pytest.fixture
def load() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(6) as threads:
        yield threads


def test_a_pod_of_two_workers_drains_without_a_failed_request(load: ThreadPoolExecutor) -> None:
    with pod(late_flights(), **TWO) as made:
        _, server = made.start_both()
        moved_away = Event()

        def client(keeps_connections: bool) -> list[int]:
            """Send until the pod is out of the Service."""
            statuses = []
            with httpx.Client(timeout=30) as persistent:
                while not moved_away.is_set():
                    answer = persistent.post(f"{made.model_url}/infer", json=flights()) if keeps_connections else infer_anew(made)
                    statuses.append(answer.status_code)
            return statuses

        clients = [load.submit(client, number % 2 == 0) for number in range(6)]
        poll(lambda: min(rows_of_each(made)) > 20, "the traffic on both")
        server.send_signal(signal.SIGTERM)
        poll(lambda: httpx.get(f"{made.url}/v2/health/ready").status_code == 503, "the drain")
        drained_from = made.served("rows_total")
        poll(lambda: made.served("rows_total") > drained_from + 20, "the traffic while it drains")
        assert server.poll() is None
        moved_away.set()
        statuses = [status for each in clients for status in each.result(DEADLINE_SECONDS)]
        assert set(statuses) == {200}
        assert server.wait(DEADLINE_SECONDS) == 0
        poll(lambda: made.monitored("rows_total", outcome="counted") == len(statuses), "the rows")
        assert made.monitored("rows_total", outcome="missed") == 0


def test_a_pod_whose_worker_is_killed_ends_with_the_reason() -> None:
    with pod(late_flights(), **TWO) as made:
        server = made.serve()
        first, second = children(server)
        os.kill(second, signal.SIGKILL)
        assert server.wait(DEADLINE_SECONDS) == 128 + signal.SIGKILL
        assert "worker 2 of 2 was killed" in made.path(PATH_TERMINATION).read_text()
        assert not runs(first)


def test_workers_whose_parent_is_killed_end() -> None:
    with pod(late_flights(), **TWO) as made:
        server = made.serve()
        workers = children(server)
        server.kill()
        server.wait(DEADLINE_SECONDS)
        poll(lambda: not any(runs(pid) for pid in workers), "the end of the workers")


def test_a_refused_bundle_is_reported_as_by_one() -> None:
    with pod(late_flights(), **TWO) as made:
        (made.path(PATH_BUNDLE) / "model.onnx").write_bytes(b"something else")
        assert made.start("serve").wait(60) == 1
        assert "model.onnx" in made.path(PATH_TERMINATION).read_text()
