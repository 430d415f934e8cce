"""The short form of the serving benchmark: ours alone, one model, one cell, one second."""

import http.server
import math
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving import plot, rows_of
from benchmarks.serving.bodies import body
from benchmarks.serving.cells import OURS, Cell, CellResult, Effort, measure
from benchmarks.serving.load import ClosedLoopResult, LoadError, Target, closed_loop, open_loop
from benchmarks.serving.models import KINDS, Trained, train

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")]

_CELL = Cell("m1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(KINDS[0], tmp_path_factory.mktemp("m1"))


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server that answers every request with 500."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(500)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_our_server_is_measured_with_a_model_that_the_trainer_packaged(model: Trained, tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    (result,) = measure(None, {"m1": model}, [_CELL], Effort(seconds=1, repeats=1), tmp_path, lambda _: None)
    assert result.load is not None, result.failure
    assert result.rate > 0
    assert result.cold_seconds > 0
    assert result.megabytes > 0
    assert os.sched_getaffinity(0) == before
    plot.save([result], tmp_path / "serving.png")
    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")


def test_the_peers_get_the_estimator_that_is_in_the_bundle(model: Trained) -> None:
    rows = model.kind.draw(5, 7)
    probabilities = model.expected(rows)
    assert probabilities.shape == (5, 2)
    assert body(rows).startswith(b'{"inputs":[{"name":"predict","shape":[5,30]')


def test_errors_are_no_throughput(refusing: str) -> None:
    target = Target(refusing, [b"{}"])
    with pytest.raises(LoadError, match="were refused"):
        closed_loop(target, 1, 1, 1)
    with pytest.raises(LoadError, match="20 were refused"):
        open_loop(target, 20, 1, 1)


def test_figures_are_held_against_the_goals_beside_the_others() -> None:
    rates = {OURS: 1_000.0, "MLServer": 19.0, "MLServer, batching": 60.0, "FastAPI": 100.0}
    results = [CellResult(server, _CELL, ClosedLoopResult(rate, 1, 2, (rate,))) for server, rate in rates.items()]
    rows = {row.axis: row for row in rows_of([*results, CellResult("BentoML", _CELL, None, failure="it did not start")])}
    assert rows["m1, 1 row, c16: ours in times the best other"].value == 10
    assert rows["m1, 1 row, c16: ours in times MLServer as documented"].holds is True
    assert rows["m1, 1 row, c16: ours in times MLServer at its best"].holds is False
    assert math.isnan(rows["BentoML: m1, 1 row, c16: not measured"].value)
