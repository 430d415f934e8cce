"""Live rows and labels that the sidecar keeps in the store."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from mlmodel_contract.environment import PATH_STORE

from devtools.bundles import LinearModel, late_flights
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import flights, ids, labels, tensor

pytestmark = pytest.mark.slow


def captured(made: ServerPod, kind: str) -> list[Path]:
    return sorted((made.path(PATH_STORE) / "x-store/models/x/captured" / kind).glob("**/*.parquet"))


def rows(files: list[Path]) -> list[dict[str, Any]]:
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


def test_rows_and_labels_can_be_joined_by_prediction_id() -> None:
    with pod(late_flights()) as made:
        made.start_both()
        departure = tensor("departure", "BYTES", ["2013-07-01T08:15:00+02:00", None])
        response = made.infer(flights(2, departure=departure))
        one, two = ids(response)
        made.label({"labels": [{"id": one, "truth": True}, {"id": two, "truth": False}]})
        poll(lambda: captured(made, "rows") and captured(made, "labels"), "the files")
        assert made.monitored("rows_captured_total") == 2
        (file,) = captured(made, "rows")
        assert file.parent.parent.name == "x-v1"
        assert file.parent.name == datetime.now(UTC).date().isoformat()
        first, second = rows([file])
        probability = response.json()["outputs"][1]["data"][1]
        assert abs((datetime.now(UTC) - first.pop("_arrived")).total_seconds()) < 60
        assert first == {
            "distance": 0.0,
            "wind": 0.0,
            "carrier": "AA",
            "holiday": True,
            "_prediction_id": one,
            "_time": datetime(2013, 7, 1, 6, 15, tzinfo=UTC),
            "_prediction": probability,
            "_target": "late",
        }
        assert second["_prediction_id"] == two
        assert abs((second["_time"] - datetime.now(UTC)).total_seconds()) < 60
        kept = {row["_prediction_id"]: json.loads(row["truth"]) for row in rows(captured(made, "labels"))}
        assert kept == {one: True, two: False}


def test_missing_and_odd_values_survive() -> None:
    with pod(late_flights()) as made:
        made.start_both()
        request = flights(
            3,
            distance=tensor("distance", "FP64", [None, -0.0, 1e38]),
            wind=tensor("wind", "FP64", [1.5, None, 2.0]),
            carrier=tensor("carrier", "BYTES", [None, "", 'naïve "☃"\n']),
            holiday=tensor("holiday", "BOOL", [None, False, True]),
        )
        assert made.infer(request).status_code == 200
        poll(lambda: captured(made, "rows"), "the file")
        kept = rows(captured(made, "rows"))
        assert [row["distance"] for row in kept] == [None, 0.0, 1e38]
        assert [row["wind"] for row in kept] == [1.5, None, 2.0]
        assert [row["carrier"] for row in kept] == [None, "", 'naïve "☃"\n']
        assert [row["holiday"] for row in kept] == [None, False, True]


def test_only_a_share_is_kept_where_the_manifest_says_so() -> None:
    with pod(late_flights(), capture_fraction=0.5) as made:
        made.start_both()
        assert made.infer(flights(1000)).status_code == 200
        poll(lambda: captured(made, "rows"), "the file")
        assert 400 < len(rows(captured(made, "rows"))) < 600


def test_a_store_that_cannot_be_written_is_tried_again() -> None:
    with pod(late_flights()) as made:
        obstacle = made.path(PATH_STORE) / "x-store/models"
        obstacle.write_text("a file where a folder must be")
        made.start_both()
        identities = ids(made.infer(flights(10)))
        made.label(labels(identities, True))
        poll(lambda: made.monitored("store_failures_total") >= 2, "the failures")
        assert "not in the store yet" in made.log("monitor")
        obstacle.unlink()
        poll(lambda: len(rows(captured(made, "rows"))) == 10, "the rows, with no more traffic")
        poll(lambda: len(rows(captured(made, "labels"))) == 10, "the labels")
        assert made.monitored("rows_captured_total") == 10


def test_the_last_rows_are_kept_when_the_pod_ends() -> None:
    with pod(late_flights(), report_every="1h") as made:
        monitor, server = made.start_both()
        identities = ids(made.infer(flights(10)))
        made.label(labels(identities[:4], False))
        for process in (server, monitor):
            process.terminate()
            assert process.wait(30) == 0
        assert len(rows(captured(made, "rows"))) == 10
        assert len(rows(captured(made, "labels"))) == 4


def test_all_that_waits_is_kept_when_the_pod_ends_and_the_store_comes_back() -> None:
    with pod(late_flights()) as made:
        obstacle = made.path(PATH_STORE) / "x-store/models"
        obstacle.write_text("a file where a folder must be")
        monitor, server = made.start_both()
        for rows_more in (10, 20):
            identities = ids(made.infer(flights(rows_more)))
            made.label(labels(identities, True))
            poll(partial(_failed_again, made, made.monitored("store_failures_total")), "the failures")
        server.terminate()
        assert server.wait(30) == 0
        monitor.terminate()
        obstacle.unlink()
        assert monitor.wait(30) == 0
        assert len(rows(captured(made, "rows"))) == 30
        assert len(rows(captured(made, "labels"))) == 30


def test_what_is_older_than_its_retention_is_deleted_and_nothing_else() -> None:
    with pod(late_flights(), capture_retention="2d") as made:
        folder = made.path(PATH_STORE) / "x-store/models/x"
        today = datetime.now(UTC).date()
        kinds = ("captured/rows/x-v0", "captured/rows/x-v1", "captured/labels", "feedback/done")
        for days in (0, 2, 3, 40):
            for kind in kinds:
                day = folder / kind / (today - timedelta(days=days)).isoformat()
                day.mkdir(parents=True)
                (day / "pod-0-00000001.parquet").touch()
        (folder / "captured/labels/notes").mkdir()
        (folder / "versions/x-v0").mkdir(parents=True)
        made.start_both()
        kept = [(today - timedelta(days=days)).isoformat() for days in (2, 0)]
        poll(lambda: all(sorted(day.name for day in (folder / kind).glob("20*")) == kept for kind in kinds), "the deletion")
        assert (folder / "captured/labels/notes").is_dir()
        assert (folder / "versions/x-v0").is_dir()


def test_sensitive_columns_are_counted_and_not_kept() -> None:
    model = late_flights()
    secret = [column.model_copy(update={"sensitive": column.name in ("carrier", "wind")}) for column in model.schema.features]
    with pod(LinearModel(model.schema.model_copy(update={"features": secret}), model.weights)) as made:
        made.start_both()
        assert made.infer(flights(4)).status_code == 200
        poll(lambda: captured(made, "rows"), "the file")
        assert made.monitored("rows_total", outcome="counted") == 4
        assert {*rows(captured(made, "rows"))[0]} == {
            *("distance", "holiday"),
            *("_prediction_id", "_time", "_arrived", "_prediction", "_target"),
        }


def _failed_again(made: ServerPod, before: float) -> bool:
    return made.monitored("store_failures_total") >= before + 2
