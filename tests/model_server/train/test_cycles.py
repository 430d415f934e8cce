"""Numbers that have cycles: compared with the same hours and seasons, where the training rows hold them, and found when they shift."""

import numpy as np
import pytest
from mlmodel_contract.bundle import BundleSchema, FeatureProfile, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import LossReference
from model_server.monitor.counting import RowCounter
from model_server.train.data.training_rows import TrainingRows
from model_server.train.profile import profile
from numpy.typing import NDArray

Floats = NDArray[np.float64]
START, HOUR, YEAR = 1_672_531_200.0, 3_600.0, 8_760
SCHEMA = BundleSchema(
    task=Task.REGRESSION,
    features=[SchemaColumn(name="x", type=ColumnType.NUMBER)],
    target="t",
    target_type=ColumnType.NUMBER,
    time="at",
)
LOSS = LossReference(rows=1, mean=0, variance=0)


def hours(first: int, number: int) -> Floats:
    return START + HOUR * np.arange(first, first + number, dtype=np.float64)


def temperature(seconds: Floats, noise: Floats) -> Floats:
    """A year of 24 degrees from January to July, a day of 10, and weather that is wilder in summer."""
    year, day = 2 * np.pi * seconds / (365.2425 * 24 * HOUR), 2 * np.pi * seconds / (24 * HOUR)
    return np.asarray(10 - 12 * np.cos(year) - 5 * np.cos(day) + (3 - np.cos(year)) * noise, np.float64)


def trained(values: Floats, seconds: Floats | None) -> FeatureProfile:
    rows = TrainingRows({"x": values}, np.zeros(len(values)), seconds)
    return profile(SCHEMA, rows, np.zeros((len(values), 1)), LOSS).features[0]


def test_a_year_without_its_cycle_is_as_its_noise_and_a_live_row_is_compared_with_its_season() -> None:
    random = np.random.default_rng(0)
    seconds, noise = hours(0, YEAR), random.standard_normal(YEAR)
    known = profile(SCHEMA, TrainingRows({"x": temperature(seconds, noise)}, np.zeros(YEAR), seconds), np.zeros((YEAR, 1)), LOSS)
    (x, _) = known.features
    assert (x.effect, trained(temperature(seconds, noise), None).effect > 1_000) == (1.0, True)
    later = hours(YEAR + 24 * 180, 24 * 30)
    for shift, share in ((0.0, 0.5), (2.0, 0.97)):
        counter = RowCounter(known, SCHEMA)
        counter.update({"x": temperature(later, random.standard_normal(len(later)) + shift)}, np.zeros((len(later), 1)), later)
        (counted, _) = counter.counts
        above = sum(counted[len(counted) // 2 - 1 :]) / sum(counted)
        assert above == pytest.approx(share, abs=0.07)


def test_a_counter_asks_for_the_times_that_it_needs() -> None:
    seconds = hours(0, YEAR)
    values = temperature(seconds, np.random.default_rng(1).standard_normal(YEAR))
    known = profile(SCHEMA, TrainingRows({"x": values}, np.zeros(YEAR), seconds), np.zeros((YEAR, 1)), LOSS)
    counter = RowCounter(known, SCHEMA)
    assert counter.needs_times
    with pytest.raises(ValueError, match="x is compared with its season: its rows need their times"):
        counter.update({"x": values[:5]}, np.zeros((5, 1)))
    assert counter.features()[0].reference_error == pytest.approx(2 / YEAR)
    assert counter.features()[0].slots[0].startswith("<= usual -")


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (np.random.default_rng(2).standard_normal(YEAR), hours(0, YEAR)),
        (np.arange(YEAR) % 24.0, hours(0, YEAR)),
        (np.ones(YEAR), hours(0, YEAR)),
        (np.full(YEAR, np.nan), hours(0, YEAR)),
        (temperature(hours(0, 1_000), np.zeros(1_000)), hours(0, 1_000)),
        (np.random.default_rng(2).standard_normal(YEAR), np.full(YEAR, START)),
    ],
    ids=["noise", "the hour itself", "constant", "missing", "six weeks", "one moment"],
)
def test_what_has_no_cycle_or_is_nothing_else_is_counted_as_it_is(values: Floats, seconds: Floats) -> None:
    assert trained(values, seconds).cycle is None


def test_missing_values_stay_missing() -> None:
    values = temperature(hours(0, YEAR), np.random.default_rng(3).standard_normal(YEAR))
    values[::10] = np.nan
    known = trained(values, hours(0, YEAR))
    assert known.cycle is not None
    assert known.counts[-1] == YEAR // 10
