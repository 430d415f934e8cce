"""Workers and their parent, with work of the tests: ready together, ended when one hangs, and their metrics as one's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlmodel_contract.environment import PATH_TERMINATION
from model_server.runtime.merged_metrics import MergedCollector
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from devtools.pods import DEADLINE_SECONDS, free_offset, poll

PROGRAM = """
import os, sys, time
from pathlib import Path
from prometheus_client import CollectorRegistry
from model_server.runtime.workers import run_workers

folder = Path(sys.argv[1])

def number():
    for candidate in (1, 2):
        try:
            (folder / f"worker{candidate}").mkdir()
            return candidate
        except FileExistsError:
            pass

def until(done):
    while not done():
        time.sleep(0.01)

def work(channel):
    own = number()
    until((folder / f"load{own}").exists)
    channel.ready(CollectorRegistry())
    (folder / f"loaded{own}").touch()
    until(lambda: channel.all_ready)
    (folder / f"ready{own}").touch()
    until(lambda: (folder / f"hang{own}").exists() or channel.beat())
    time.sleep(60)

sys.exit(run_workers(2, work, hung_seconds=3.0))
"""


@contextmanager
def two_workers(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = {"MLMODEL_ROOT": str(folder), "MLMODEL_PORT_OFFSET": str(free_offset())}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], env=settings) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


@pytest.mark.slow
def test_workers_are_ready_together_and_the_pod_ends_when_one_hangs(tmp_path: Path) -> None:
    (tmp_path / PATH_TERMINATION.removeprefix("/")).parent.mkdir()
    with two_workers(tmp_path) as parent:
        (tmp_path / "load1").touch()
        poll((tmp_path / "loaded1").exists, "the first worker")
        assert not (tmp_path / "ready1").exists()
        (tmp_path / "load2").touch()
        poll(lambda: all((tmp_path / name).exists() for name in ("ready1", "ready2")), "both workers")
        (tmp_path / "hang1").touch()
        assert parent.wait(DEADLINE_SECONDS) == 137
    assert "of 2 was killed (SIGKILL: out of memory, or it hung" in (tmp_path / PATH_TERMINATION.removeprefix("/")).read_text()


@pytest.mark.slow
def test_workers_that_still_load_are_ended(tmp_path: Path) -> None:
    with two_workers(tmp_path) as parent:
        poll(lambda: all((tmp_path / name).exists() for name in ("worker1", "worker2")), "both workers")
        parent.terminate()
        assert parent.wait(DEADLINE_SECONDS) == 0


def worker(rows: int, in_flight: int, seconds: float, started: float, trace: str | None = None) -> str:
    """The metrics of a worker."""
    registry = CollectorRegistry()
    Counter("mlmodel_server_rows", "Rows.", ["name"], registry=registry).labels("x").inc(rows)
    Gauge("mlmodel_server_requests_in_flight", "Requests.", registry=registry).set(in_flight)
    Gauge("mlmodel_server_model_info", "The version.", registry=registry).set(1)
    Gauge("process_start_time_seconds", "Start.", registry=registry).set(started)
    duration = Histogram("seconds", "Durations.", buckets=(0.1, 1), registry=registry)
    duration.observe(seconds, {"trace_id": trace} if trace else None)
    return bytes(generate_latest(registry)).decode()  # type: ignore[no-untyped-call]


def merged(*workers: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(MergedCollector(lambda: workers))
    return registry


def test_metrics_of_workers_are_published_as_those_of_one() -> None:
    registry = merged(worker(3, 1, 0.05, 200.0), worker(4, 2, 0.5, 100.0), "")
    assert registry.get_sample_value("mlmodel_server_rows_total", {"name": "x"}) == 7
    assert registry.get_sample_value("mlmodel_server_requests_in_flight") == 3
    assert registry.get_sample_value("mlmodel_server_model_info") == 1
    assert registry.get_sample_value("process_start_time_seconds") == 100
    assert [registry.get_sample_value("seconds_bucket", {"le": le}) for le in ("0.1", "1.0", "+Inf")] == [1, 2, 2]
    assert registry.get_sample_value("seconds_sum") == 0.55
    rows = [registry.get_sample_value("mlmodel_server_worker_rows_total", {"name": "x", "worker": each}) for each in ("1", "2")]
    assert rows == [3, 4]


def test_exemplars_of_workers_are_kept_the_newest_of_each_bucket() -> None:
    old, new, other = worker(1, 0, 0.05, 0, "old"), worker(1, 0, 0.05, 0, "new"), worker(1, 0, 0.5, 0, "other")
    for order in ((old, new, other, worker(1, 0, 0.05, 0)), (other, worker(1, 0, 0.05, 0), new, old)):
        text = bytes(generate_latest(merged(*order))).decode()  # type: ignore[no-untyped-call]
        assert [trace in text for trace in ("old", "new", "other")] == [False, True, True]
