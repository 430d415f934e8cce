"""An airline's application, replayed: sends each hour's flights to the model and, when they have landed, what became of them.

It runs as a Job beside the model (``replay.yaml``) in the model server's image. Each request has its own connection, and nothing is tried
again, so that every request the model does not answer is counted. One line of JSON is printed for each day, and all predictions are kept
in a file at the end. Settings come from the environment:

ROWS             s3:// or file URI of a Parquet file, ordered by scheduled departure
PREDICTIONS      URI of the Parquet file that the predictions go to: row of ROWS, version, probability to be late
URL              of the model, such as http://flight-delay/v2/models/flight-delay
SECONDS_PER_DAY  how long a day of the replay takes
"""

import asyncio
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import fsspec
import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TIME, ARRIVED, DAY, TARGET = "scheduled_departure", "arrived", "day", "late"
TEXT = ("carrier", "origin", "dest", TIME)
HOUR = timedelta(hours=1)
LARGEST_LOSS = 15.0  # as the monitor clips it, so that one certain error does not make the loss infinite


@dataclass(frozen=True)
class Group:
    """The flights of one hour from one airport, by column."""

    hour: datetime
    day: str
    rows: list[int]
    columns: dict[str, list[Any]]
    late: list[bool]
    arrived: list[datetime]


@dataclass
class Served:
    """What one version answered on a day."""

    rows: int = 0
    loss: float = 0.0


@dataclass
class Day:
    """What is reported of one day: counts, not rates."""

    day: str
    began: str
    requests: int = 0
    failed: int = 0
    rows: int = 0
    feedback_requests: int = 0
    feedback_failed: int = 0
    feedback_rows: int = 0
    feedback_accepted: int = 0
    slowest_ms: float = 0.0
    behind_seconds: float = 0.0
    versions: dict[str, Served] = field(default_factory=lambda: defaultdict(Served))
    errors: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the day as one line of JSON."""
        versions = {name: vars(served) for name, served in self.versions.items()}
        return json.dumps({**vars(self), "versions": versions, "errors": self.errors[:3]})


class Failed(Exception):
    """A request that was not answered with 200."""


class Client:
    """Sends one request after the other's connection is closed, and never the same one twice."""

    def __init__(self, url: str, late_index: int) -> None:
        self._url = url
        self._late_index = late_index
        self._http = httpx.AsyncClient(
            timeout=30, limits=httpx.Limits(max_keepalive_connections=0), headers={"Connection": "close"}, trust_env=False
        )

    async def predict(self, columns: dict[str, list[Any]]) -> tuple[str, list[str], list[float]]:
        """Return the version that answered, the predictions' ids and each flight's probability to be late."""
        inputs = [
            {"name": name, "shape": [len(values)], "datatype": "BYTES" if name in TEXT else "FP64", "data": values}
            for name, values in columns.items()
        ]
        answer = await self._post("infer", {"inputs": inputs})
        outputs = {tensor["name"]: tensor for tensor in answer["outputs"]}
        probabilities = outputs["predict_proba"]
        width = probabilities["shape"][1]
        return answer["model_version"], outputs["prediction_id"]["data"], probabilities["data"][self._late_index :: width]

    async def send_labels(self, labels: list[tuple[str, bool]]) -> int:
        """Send what became of flights; return how many of these labels were accepted."""
        answer = await self._post("feedback", {"labels": [{"id": id_, "truth": truth} for id_, truth in labels]})
        return int(answer["accepted"])

    async def _post(self, what: str, document: dict[str, Any]) -> Any:
        try:
            answer = await self._http.post(f"{self._url}/{what}", json=document)
        except httpx.HTTPError as error:
            raise Failed(f"{what}: {type(error).__name__}: {error}") from error
        if answer.status_code != 200:
            raise Failed(f"{what}: {answer.status_code}: {answer.text[:300]}")
        return answer.json()


@dataclass
class Predictions:
    """What was answered, by column."""

    row: list[int] = field(default_factory=list)
    version: list[str] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)

    def add(self, rows: list[int], version: str, probabilities: list[float]) -> None:
        """Keep the answer to one request."""
        self.row += rows
        self.version += [version] * len(rows)
        self.probability += probabilities

    def save(self, uri: str) -> None:
        """Write the Parquet file."""
        with fsspec.open(uri, "wb") as file:
            pq.write_table(pa.table(vars(self)), file)


class Replay:
    """Keeps the clock of the replay, what is still in the air, what was answered, and the day's counts."""

    def __init__(self, client: Client, seconds_per_day: float) -> None:
        self._client = client
        self._seconds_per_hour = seconds_per_day / 24
        self.predictions = Predictions()
        self._landed: dict[datetime, list[tuple[str, bool]]] = defaultdict(list)

    async def run(self, groups: Iterator[Group]) -> None:
        """Send all flights in their hours, then wait for the last ones to land."""
        started, first, today, hour = 0.0, None, None, None
        for hour, due in _by_hour(groups):
            if first is None:
                started, first = time.monotonic(), hour
            if due and (today is None or due[0].day > today.day):
                _report(today)
                today = Day(due[0].day, datetime.now(UTC).isoformat(timespec="milliseconds"))
            assert today is not None  # noqa: S101 - the first hour has flights
            wait = started + (hour - first) / HOUR * self._seconds_per_hour - time.monotonic()
            today.behind_seconds = round(max(0.0, -wait), 3)
            await asyncio.sleep(max(0.0, wait))
            await asyncio.gather(*(self._predict(group, today) for group in due), self._send_labels(hour, today))
        while self._landed and today is not None and hour is not None:
            hour += HOUR
            await asyncio.sleep(self._seconds_per_hour)
            await self._send_labels(hour, today)
        _report(today)

    async def _predict(self, group: Group, today: Day) -> None:
        today.requests += 1
        began = time.monotonic()
        try:
            version, ids, probabilities = await self._client.predict(group.columns)
        except Failed as failure:
            today.failed += 1
            today.errors.append(str(failure))
            return
        today.slowest_ms = max(today.slowest_ms, round((time.monotonic() - began) * 1000, 1))
        self.predictions.add(group.rows, version, probabilities)
        today.rows += len(ids)
        today.versions[version].rows += len(ids)
        today.versions[version].loss += sum(log_loss(p, late) for p, late in zip(probabilities, group.late, strict=True))
        for id_, late, arrived in zip(ids, group.late, group.arrived, strict=True):
            self._landed[_full_hour(arrived) + HOUR].append((id_, late))

    async def _send_labels(self, hour: datetime, today: Day) -> None:
        labels = self._landed.pop(hour, [])
        if not labels:
            return
        today.feedback_requests += 1
        today.feedback_rows += len(labels)
        try:
            today.feedback_accepted += await self._client.send_labels(labels)
        except Failed as failure:
            today.feedback_failed += 1
            today.errors.append(str(failure))


def log_loss(probability: float, late: bool) -> float:
    """Return the log loss of one prediction, nats."""
    given = probability if late else 1 - probability
    return min(LARGEST_LOSS, -math.log(given)) if given > 0 else LARGEST_LOSS


def read_groups(uri: str) -> Iterator[Group]:
    """Yield the file's flights by scheduled hour and airport, in order."""
    with fsspec.open(uri) as file:
        table = pq.read_table(file)
    for name in (TIME, ARRIVED):  # times of the file are UTC; without their zone they need no time zone database
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.timestamp("us")))
    table = table.append_column("_row", pa.array(range(table.num_rows)))
    table = table.append_column("_hour", pc.floor_temporal(table[TIME], unit="hour"))
    table = table.sort_by([("_hour", "ascending"), ("origin", "ascending"), (TIME, "ascending")])
    hour, origin = table["_hour"].to_pylist(), table["origin"].to_pylist()
    start = 0
    for end in range(1, table.num_rows + 1):
        if end < table.num_rows and (hour[end], origin[end]) == (hour[start], origin[start]):
            continue
        columns = table.slice(start, end - start).to_pydict()
        columns.pop("_hour")
        rows = columns.pop("_row")
        late, arrived, day = columns.pop(TARGET), columns.pop(ARRIVED), columns.pop(DAY)
        columns[TIME] = [f"{departure.isoformat()}Z" for departure in columns[TIME]]
        yield Group(hour[start], str(day[0]), rows, columns, late, arrived)
        start = end


def _by_hour(groups: Iterator[Group]) -> Iterator[tuple[datetime, list[Group]]]:
    """Yield every hour from the first to the last with the groups that are due, also those without any."""
    due: list[Group] = []
    for group in groups:
        while due and group.hour > due[0].hour:
            yield due[0].hour, due
            yield from ((due[0].hour + HOUR * step, []) for step in range(1, (group.hour - due[0].hour) // HOUR))
            due = []
        due.append(group)
    if due:
        yield due[0].hour, due


def _full_hour(value: datetime) -> datetime:
    return value.replace(minute=0, second=0, microsecond=0)


def _report(day: Day | None) -> None:
    if day is not None:
        print(day.line(), flush=True)


def _late_index(url: str) -> int:
    """Ask the model which of its probabilities is that of being late."""
    metadata = httpx.get(url, timeout=30, trust_env=False).raise_for_status().json()
    probabilities = next(tensor for tensor in metadata["outputs"] if tensor["name"] == "predict_proba")
    return int(probabilities["parameters"]["classes"].index(True))


async def main() -> None:
    """Replay as the environment says."""
    url = os.environ["URL"]
    replay = Replay(Client(url, _late_index(url)), float(os.environ["SECONDS_PER_DAY"]))
    await replay.run(read_groups(os.environ["ROWS"]))
    replay.predictions.save(os.environ["PREDICTIONS"])


if __name__ == "__main__":
    asyncio.run(main())
