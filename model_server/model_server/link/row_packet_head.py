"""The message that the server sends to the monitor for each batch: one packet (``SOCK_SEQPACKET``), without waiting.

A packet is a line of UTF-8 JSON, ``RowPacketHead``, and after the line's end all numbers as 64-bit floats in the machine's byte order: the
predictions, row after row, then the columns that ``RowPacketHead`` names, also row after row. Numbers are most of the data; as
JSON they cost more than the predictions. ``served`` is the server's own cumulative count of rows, sent with each message, so that the
monitor knows what it missed; ``server`` distinguishes a restarted server from the one before. Not here: sockets, and reading and writing.
"""

from typing import NotRequired, TypedDict

PACKET_LIMIT = 131_072
"""Bytes; a batch that is longer is split by rows."""


class RowPacketHead(TypedDict):
    """One batch of predicted rows, but for its numbers; every list but ``numbers`` has the same length."""

    server: str  # random name of the server process
    served: int  # rows that this server process has predicted, this batch included
    time: float  # seconds since the epoch
    ids: list[str]
    numbers: list[str]  # names of the columns of numbers, which follow; NaN is a missing one
    others: dict[str, list[str | bool | None]]  # categories, booleans, and the time column where it was sent, as validated
    traces: NotRequired[list[str | None]]  # ids of the requests' traces, where any had one
