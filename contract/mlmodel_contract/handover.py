"""The message that the server hands to the monitor for each batch: one datagram, never waited for.

A datagram is UTF-8 JSON of ``Batch``. ``served`` is the server's own cumulative count of rows, sent with each message, so that the monitor
knows what it missed; ``server`` tells a restarted server from its former self. Not here: sockets.
"""

from typing import NotRequired, TypedDict

DATAGRAM_LIMIT = 131_072
"""Bytes; a batch that is longer is split by rows."""


class Batch(TypedDict):
    """One batch of predicted rows, by column; every list has the same length."""

    server: str  # random name of the server process
    served: int  # rows that this server process has predicted, this batch included
    time: float  # seconds since the epoch
    ids: list[str]
    columns: dict[str, list[str | bool | float | None]]  # as validated: the features, and the time column where it was sent
    predictions: list[list[float]]  # rows x classes probabilities, or rows x 1
    traces: NotRequired[list[str | None]]  # ids of the requests' traces, where any had one
