"""The short form of the drift benchmark: its chain is the product's, and its figures keep their promises on a few streams."""

import numpy as np
import pytest

from benchmarks.drift import detection_delays, false_alarms, healthy_streams, report_fuzzing, simulated_streams
from benchmarks.drift.detection_delays import DriftingStream
from benchmarks.drift.detection_pipeline import DetectionPipeline
from benchmarks.drift.false_alarms import IndependentStream
from benchmarks.drift.healthy_streams import HealthyStream, ShiftedSeason
from benchmarks.drift.simulated_streams import Drift

pytestmark = pytest.mark.slow


def test_the_benchmark_counts_as_a_sidecar_does() -> None:
    random = np.random.default_rng(0)
    train, live = simulated_streams.draw(random, 3_000), simulated_streams.draw(random, 500)
    pipeline = DetectionPipeline(simulated_streams.schema(), train, simulated_streams.prediction(train), 0.01, 0.05)
    counter = pipeline.counter()
    counter.update(live, simulated_streams.prediction(live))
    bucket = pipeline.bucket(pipeline.bin_rows(live, simulated_streams.prediction(live)))
    assert bucket.cells == tuple(count for counts in counter.counts for count in counts)
    assert bucket.products == tuple(counter.products)


def test_streams_without_drift_do_not_alarm() -> None:
    assert sum(false_alarms._independent(IndependentStream(seed, 2_000)) for seed in range(6)) == 0


@pytest.mark.parametrize("kind", ["zip codes", "ids", "sparse", "seasons"])
def test_columns_that_are_hard_to_leave_alone_are_left_alone(kind: str) -> None:
    assert not any(healthy_streams._alarms(HealthyStream(kind, seed)) for seed in range(6))


@pytest.mark.parametrize("seed", range(4))
def test_a_lasting_shift_within_the_season_is_found_within_two_months(seed: int) -> None:
    assert 0 < healthy_streams._days_until_found(ShiftedSeason(0.0, seed)) <= 60


@pytest.mark.parametrize(
    "drift", [Drift("mean", 0.5), Drift("spread", 1.5), Drift("category", 0.2), Drift("correlation", 0.9)], ids=lambda drift: drift.kind
)
def test_each_kind_of_drift_is_found_within_a_few_times_the_bound_and_rightly_named(drift: Drift) -> None:
    for seed in range(2):
        found = detection_delays._drifting(DriftingStream(drift, 50 + seed))
        assert 0 < found.delay <= 5 * detection_delays.BOUND_NATS / drift.divergence + detection_delays.BUCKET
        assert found.right
        assert found.wrong == 0


def test_reports_that_are_not_true_move_no_verdict_and_raise_nothing() -> None:
    found = report_fuzzing.evaluate_reports(0, 2_000)
    assert (found.moved, found.raised) == (0, 0)
    assert {"Unreadable", "Inconsistent", "Stale", "Foreign", "Absurd", "Decreased", "believed"} <= set(found.outcomes)
