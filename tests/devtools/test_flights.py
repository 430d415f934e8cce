from datetime import date

import pandas as pd
import pytest

from devtools.flights import FEATURES, TARGET, TIME, WEATHER, Flights, read_flights


@pytest.fixture(scope="module")
def flights() -> Flights:
    return read_flights()


def test_every_flight_that_arrived_is_there_once_in_the_order_of_its_schedule(flights: Flights) -> None:
    rows = flights.rows
    assert len(rows) == 327_346
    assert rows[TIME].is_monotonic_increasing
    assert rows.columns.tolist() == [TIME, *FEATURES, TARGET, "day", "arrived"]
    assert rows[TARGET].mean() == pytest.approx(0.2447, abs=1e-4)


def test_first_flight_of_the_year_has_what_its_schedule_says(flights: Flights) -> None:
    first = flights.rows.iloc[0]  # UA 1545, Newark 5:15 to Houston 8:19 (an hour behind), 11 minutes late
    assert (first["carrier"], first["origin"], first["dest"], first["hour"], first["weekday"]) == ("UA", "EWR", "IAH", 5.25, 1)
    assert first["scheduled_minutes"] == 4 * 60 + 4
    assert first["arrived"] - first[TIME] == pd.Timedelta(minutes=4 * 60 + 4 + 11)
    assert not first[TARGET]


def test_weather_is_that_of_the_hour_before(flights: Flights) -> None:
    # Newark on 1 January: 39.92 degrees at 9:00 UTC, 39.02 at 10:00.
    known = flights.rows[(flights.rows["origin"] == "EWR") & (flights.rows[TIME] == "2013-01-01T10:15:00Z")]
    assert known["temp"].tolist() == [39.92]
    assert flights.rows[WEATHER].notna().mean().min() > 0.85


def test_days_are_those_of_new_york(flights: Flights) -> None:
    part = flights.between(date(2013, 7, 4), date(2013, 7, 4))
    assert part["hour"].min() >= 5
    assert part[TIME].min() > pd.Timestamp("2013-07-04T08:00:00Z")
    assert part[TIME].max() > pd.Timestamp("2013-07-05T00:00:00Z")
