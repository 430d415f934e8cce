"""Labels of recent predictions are counted by when these were made, until their label delay is over, and survive whatever dies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlmodel_contract.bundle import Profile
from mlmodel_contract.report import MonitorReportSpec
from model_server.link.labels import LabelledPrediction
from model_server.link.row_packets import Batch
from model_server.monitor.batch_merging import merge_batches
from model_server.monitor.label_delay import LabelDelay
from model_server.monitor.pod_counts import PodCounts, Subject
from model_server.monitor.spool import Spool
from model_server.prediction_id.ids import Signer
from model_server.train.data.training_rows import TrainingRows
from model_server.train.profile import profile

from devtools.bundles import late_flights
from tests.model_server.monitor.test_counting import LOSS

DAY = 86_400.0
DELAY = LabelDelay(7 * DAY, heartbeat=300)
SIGNER = Signer(b"the key of a model, in 32 bytes ", "late-v1")
WIND = np.array([1.0, 2.0, 3.0])


def known_profile() -> Profile:
    schema = late_flights().schema
    columns = {
        "distance": WIND,
        "wind": WIND,
        "carrier": np.array(["AA", "B6", "AA"], object),
        "holiday": np.array([True, False, False], object),
    }
    return profile(schema, TrainingRows(columns, np.zeros(3)), np.full((3, 2), 0.5), LOSS)


class Sidecar:
    """A sidecar's counts in a folder, where the next one goes on."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder)
        self.counts = PodCounts(Subject("late", "late-v1", late_flights().schema, known_profile(), 8 * DAY, DELAY), self.spool)
        self.served = 0

    def predict(self, seconds: float, rows: int = 3) -> list[str]:
        predictions = np.full((rows, 2), 0.5)
        ids = SIGNER.sign(int(seconds * 1000), predictions)
        self.served += rows
        others: dict[str, list[Any]] = {"carrier": ["AA"] * rows, "holiday": [False] * rows}
        batch = Batch("server", self.served, seconds, ids, ["distance", "wind"], np.ones((rows, 2)), others, predictions)
        (merged,) = merge_batches([batch])
        self.counts.add_rows(merged)
        return ids

    def label(self, ids: list[str], predicted: float, now: float) -> None:
        made = [
            LabelledPrediction(id=one, version="late-v1", milliseconds=int(predicted * 1000), values=[0.5], groups=[0], truth=True)
            for one in ids
        ]
        self.counts.add_labels(made, now)

    def restart(self, folder: Path) -> "Sidecar":
        self.spool.close()
        return Sidecar(folder)


def recent(report: MonitorReportSpec) -> dict[str, tuple[int, int]]:
    """Rows and labels, by the end of their stretch."""
    assert report.recent is not None
    return {one.before: (one.rows, one.labels.rows) for one in report.recent}


def test_labels_are_counted_by_when_their_prediction_was_made(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path)
    first = sidecar.predict(0.0)
    sidecar.predict(DAY, 2)
    sidecar.label(first[:2], 0.0, DAY)
    report = sidecar.counts.report(DAY)
    assert recent(report) == {"1970-01-01T16:48:00.000Z": (3, 2), "1970-01-02T09:36:00.000Z": (2, 0)}
    assert report.recent
    assert report.recent[0].groups[0].rows == 2
    assert report.labels.rows == 2


def test_labels_that_wait_survive_a_restart(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path)
    ids = sidecar.predict(0.0)
    sidecar.label(ids[:1], 0.0, DAY)
    before = sidecar.counts.report(DAY)
    sidecar.label(ids[1:2], 0.0, DAY)  # acknowledged, and in no report yet
    after = sidecar.restart(tmp_path).counts.report(DAY)
    assert (recent(before), recent(after)) == ({"1970-01-01T16:48:00.000Z": (3, 1)}, {"1970-01-01T16:48:00.000Z": (3, 2)})
    assert after.labels.rows == 2


def test_they_are_counted_apart_until_after_their_delay_and_no_longer(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path)
    sidecar.label(sidecar.predict(0.0), 0.0, DAY)
    assert [len(recent(sidecar.counts.report(days * DAY))) for days in (7, 7.7, 8)] == [1, 1, 0]
    restarted = sidecar.restart(tmp_path)
    assert recent(restarted.counts.report(8 * DAY)) == {}
    assert restarted.counts.totals()[1].rows == 3


def test_a_pod_whose_spool_is_lost_goes_on_from_its_report(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path / "lost")
    ids = sidecar.predict(0.0)
    sidecar.label(ids[:2], 0.0, DAY)
    earlier = sidecar.counts.report(DAY)
    again = Sidecar(tmp_path / "new")
    again.counts.resume(earlier, DAY)
    again.label(ids[2:], 0.0, 2 * DAY)
    report = again.counts.report(2 * DAY)
    assert recent(report) == {"1970-01-01T16:48:00.000Z": (3, 3)}
    assert (report.labels.rows, report.rows.due) == (3, 0)
    assert again.counts.report(8 * DAY).rows.due == 3


@pytest.mark.parametrize(("seconds", "most"), [(1.0, 6), (600.0, 7), (3 * 3600.0, 16), (7 * DAY, 12), (90 * DAY, 12)])
def test_a_report_has_few_stretches(seconds: float, most: int) -> None:
    delay = LabelDelay(seconds, heartbeat=300)
    now = 1_000 * DAY
    times = np.linspace(now - 2 * seconds - 2_000, now, 5_000)
    stretches = delay.recent({delay.stretch(time) for time in times}, now)
    assert len(stretches) <= most <= 20
