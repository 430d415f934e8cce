"""The base of every document, and the scalar types that documents are written in.

Not here: any document itself.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = r"^([0-9]{1,5}(\.[0-9]{1,5})?(ms|[smhd]))+$"  # at most centuries, which calendars can be reckoned with


class Document(BaseModel):
    """A frozen document, camelCase on the wire and snake_case in Python; unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", defer_build=True)

    def wire(self) -> dict[str, Any]:
        """Return the JSON object as the other side reads it, without fields that are None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of these fields, as ``dataclasses.replace`` does. The values are not validated.

        mypy checks names and types of the fields (``devtools/mypy_plugin.py``).

        Raises:
            TypeError: the document has no such field.

        """
        unknown = changes.keys() - type(self).model_fields.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return self.model_copy(update=changes)


LONGEST_MESSAGE = 1024
"""Characters of a sentence in a status, a verdict or a logged decision."""

Duration = Annotated[str, Field(pattern=_DURATION, max_length=20, examples=["30m", "1h30m", "90d"])]
"""A length of time as Go and Kubernetes write it, such as ``2ms``, ``30m``, ``1h30m`` or ``90d``; units ms, s, m, h and d (24 hours)."""

Time = Annotated[str, Field(max_length=40)]
"""A point in time as Kubernetes writes it (RFC 3339 in UTC), such as ``2024-05-01T12:00:00Z``; see ``format_time``."""

ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=63)]
"""The name of a column in data, requests and reports."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""``sha256:`` and 64 hexadecimal digits."""


def duration(text: str) -> timedelta:
    """Parse a ``Duration``.

    >>> duration("1h30m").total_seconds()
    5400.0
    >>> duration("2ms").total_seconds()
    0.002

    Raises:
        ValueError: the text is no duration.

    """
    if not re.match(_DURATION, text):
        raise ValueError(f"'{text}' is no duration: write a number and a unit of ms, s, m, h or d, such as 30m")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|[smhd])", text)))


def format_time(time: datetime, timespec: Literal["seconds", "milliseconds", "microseconds"] = "seconds") -> str:
    """Write a ``Time``; a datetime without a time zone counts as local time.

    >>> format_time(datetime(2024, 5, 1, 12, tzinfo=UTC))
    '2024-05-01T12:00:00Z'
    """
    return time.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Parse a ``Time``, or another time of RFC 3339.

    >>> parse_time("2024-05-01T12:00:00Z")
    datetime.datetime(2024, 5, 1, 12, 0, tzinfo=datetime.timezone.utc)

    Raises:
        ValueError: the text is no time, or has no time zone.

    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone: write Z or an offset behind it")
    return time
