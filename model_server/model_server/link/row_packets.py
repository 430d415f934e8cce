"""Batches of predicted rows as packets (``row_packet_head.py``), written by the server and read by the monitor.

Not here: sockets, and what is done with the rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from .row_packet_head import RowPacketHead

Floats = NDArray[np.float64]
_MANY_BYTES = 16_384


class Batch(NamedTuple):
    """Predicted rows of one server process, and the number of rows that it had served with them.

    ``numbers`` is rows x columns, NaN where missing, and ``names`` has its columns; ``others`` has every other column by name;
    ``predictions`` is rows x classes, or rows x 1; ``traces`` are ids, where any of the requests had one.
    """

    server: str
    served: int
    seconds: float
    ids: Sequence[str]
    names: Sequence[str]
    numbers: Floats
    others: Mapping[str, Sequence[Any]]
    predictions: Floats
    traces: Sequence[str | None] | None = None

    def part(self, start: int, end: int) -> "Batch":
        """Return some of the rows, as if those after them were yet to come."""
        return self._replace(
            served=self.served - len(self.ids) + end,
            ids=self.ids[start:end],
            numbers=self.numbers[start:end],
            others={name: values[start:end] for name, values in self.others.items()},
            predictions=self.predictions[start:end],
            traces=self.traces and self.traces[start:end],
        )


def encode(batch: Batch) -> list[bytes | memoryview]:
    """Write a batch, as one or several parts of a packet: many numbers are sent from their own buffers, not copied.

    Raises:
        TypeError: a value cannot be written as JSON, or a text is not valid Unicode.

    """
    head: dict[str, Any] = {
        "server": batch.server,
        "served": batch.served,
        "time": batch.seconds,
        "ids": batch.ids,
        "numbers": batch.names,
        "others": batch.others,
    }
    if batch.traces:
        head["traces"] = batch.traces
    text = orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)
    if batch.numbers.nbytes < _MANY_BYTES:
        return [b"%b%b%b" % (text, batch.predictions.tobytes(), batch.numbers.tobytes())]
    return [text, _bytes(batch.predictions), _bytes(batch.numbers)]


def _bytes(numbers: Floats) -> memoryview:
    return np.ascontiguousarray(numbers).ravel().view(np.uint8).data


def decode(packet: bytes) -> Batch:
    """Read a batch.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the packet is not a batch.

    """
    end = packet.index(b"\n") + 1
    head: RowPacketHead = orjson.loads(packet[:end])
    rows, columns = len(head["ids"]), len(head["numbers"])
    numbers = np.frombuffer(packet, np.float64, offset=end) if end < len(packet) else np.empty(0)
    prediction_count = len(numbers) - rows * columns
    if prediction_count < 0 or (rows and (prediction_count == 0 or prediction_count % rows)):
        raise ValueError(f"{len(numbers)} numbers are none of {rows} rows with {columns} columns")
    if any(len(values) != rows for values in (*head["others"].values(), head.get("traces") or head["ids"])):
        raise ValueError("its columns differ in length")
    return Batch(
        str(head["server"]),
        int(head["served"]),
        float(head["time"]),
        head["ids"],
        head["numbers"],
        numbers[prediction_count:].reshape(rows, columns),
        head["others"],
        numbers[:prediction_count].reshape(rows, -1) if rows else np.empty((0, 1)),
        head.get("traces"),
    )
