"""The replay's script against a model that answers over real connections."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from demo.replay_log import Day, parse_line
from demo.scenario import EXAMPLES

pytestmark = pytest.mark.slow

PREDICTIONS = "predictions.parquet"
MIDNIGHT = datetime(2013, 4, 1, tzinfo=UTC)


@dataclass
class Model:
    """Answers like a model server and keeps what it was asked, in order, with the connection's address."""

    url: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    broken_rows: int = 0  # requests of so many rows are answered with 503


@pytest.fixture
def model() -> Iterator[Model]:
    found = Model()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(200, {"outputs": [{"name": "predict_proba", "parameters": {"classes": [False, True]}}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            what = self.path.rsplit("/", 1)[-1]
            found.asked.append((what, body))
            found.connections.add(self.client_address)
            if what == "feedback":
                self.answer(200, {"accepted": len(body["labels"])})
                return
            rows = body["inputs"][0]["shape"][0]
            ids = [f"{body['inputs'][0]['data'][row]}-{row}" for row in range(rows)]
            outputs = [
                {"name": "predict_proba", "shape": [rows, 2], "data": [0.75, 0.25] * rows},
                {"name": "prediction_id", "shape": [rows], "data": ids},
            ]
            self.answer(503 if rows == found.broken_rows else 200, {"model_version": "flight-delay-v1", "outputs": outputs})

        def answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/v2/models/flight-delay"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def flight(hour: float, origin: str, minutes: float, *, late: bool = False) -> dict[str, Any]:
    departure = MIDNIGHT + timedelta(hours=hour)
    row = {"scheduled_departure": departure, "hour": hour % 24, "carrier": "UA", "origin": origin, "dest": "IAH", "temp": None}
    return {**row, "late": late, "day": departure.date(), "arrived": departure + timedelta(minutes=minutes)}


def replay(model: Model, folder: Path, flights: list[dict[str, Any]], seconds_per_day: float = 0.24) -> list[Day]:
    rows = folder / "flights.parquet"
    pd.DataFrame(flights).astype({"temp": float}).to_parquet(rows, index=False)
    kept = {"ROWS": rows.as_uri(), "PREDICTIONS": (folder / PREDICTIONS).as_uri()}
    environment = {**os.environ, **kept, "URL": model.url, "SECONDS_PER_DAY": str(seconds_per_day)}
    script = [sys.executable, str(EXAMPLES / "replay.py")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [day for line in done.stdout.splitlines() if (day := parse_line(line))]


def test_flights_of_an_hour_go_out_by_airport_and_come_back_when_they_have_landed(model: Model, tmp_path: Path) -> None:
    flights = [flight(6.0, "JFK", 90, late=True), flight(6.5, "JFK", 30), flight(6.2, "EWR", 20), flight(9.0, "EWR", 60)]
    [day] = replay(model, tmp_path, flights)
    assert (day.day, day.requests, day.failed, day.rows) == (date(2013, 4, 1), 3, 0, 4)
    assert (day.feedback_requests, day.feedback_rows, day.feedback_accepted) == (3, 4, 4)
    assert [what for what, _ in model.asked] == ["infer", "infer", "feedback", "feedback", "infer", "feedback"]
    truths = [[label["truth"] for label in body["labels"]] for what, body in model.asked if what == "feedback"]
    assert truths == [[False], [True, False], [False]]


def test_request_has_every_feature_and_the_time_but_nothing_of_the_outcome(model: Model, tmp_path: Path) -> None:
    replay(model, tmp_path, [flight(6.0, "JFK", 90, late=True)])
    inputs = {tensor["name"]: tensor for tensor in model.asked[0][1]["inputs"]}
    assert sorted(inputs) == ["carrier", "dest", "hour", "origin", "scheduled_departure", "temp"]
    assert inputs["temp"]["data"] == [None]
    assert inputs["carrier"]["datatype"] == "BYTES"
    assert datetime.fromisoformat(inputs["scheduled_departure"]["data"][0]) == MIDNIGHT + timedelta(hours=6)


def test_request_that_is_not_answered_counts_and_is_never_sent_again(model: Model, tmp_path: Path) -> None:
    model.broken_rows = 2
    [day] = replay(model, tmp_path, [flight(6.0, "JFK", 60), flight(6.0, "JFK", 60), flight(7.0, "JFK", 60)])
    assert (day.requests, day.failed, day.rows, day.feedback_rows) == (2, 1, 1, 1)
    assert "503" in day.errors[0]
    assert [what for what, _ in model.asked].count("infer") == 2


def test_predictions_are_kept_with_the_row_of_each_flight(model: Model, tmp_path: Path) -> None:
    model.broken_rows = 2
    flights = [flight(6.0, "JFK", 90), flight(6.2, "EWR", 20), flight(6.5, "JFK", 30), flight(6.7, "LGA", 60), flight(9.0, "EWR", 60)]
    replay(model, tmp_path, flights)
    kept = pd.read_parquet(tmp_path / PREDICTIONS).sort_values("row")
    assert kept["row"].tolist() == [1, 3, 4], "the request with two flights was not answered"
    assert set(kept["version"]) == {"flight-delay-v1"}
    assert set(kept["probability"]) == {0.25}


def test_every_request_has_a_connection_of_its_own(model: Model, tmp_path: Path) -> None:
    replay(model, tmp_path, [flight(hour, "JFK", 60) for hour in range(6, 10)])
    assert len(model.connections) == len(model.asked) == 8


def test_days_are_reported_one_by_one_with_the_loss_of_the_predictions(model: Model, tmp_path: Path) -> None:
    days = replay(model, tmp_path, [flight(6.0, "JFK", 60), flight(30.0, "JFK", 60, late=True)], seconds_per_day=1.5)
    assert [day.day for day in days] == [date(2013, 4, 1), date(2013, 4, 2)]
    assert [round(day.loss, 4) for day in days] == [0.2877, 1.3863]  # -ln 0.75 and -ln 0.25
    passed = (days[1].began - days[0].began).total_seconds()
    assert passed > 0.5, "the second day waits for its time, however late a busy machine began the first"
