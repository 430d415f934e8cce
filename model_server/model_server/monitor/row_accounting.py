"""Which of the server's rows were counted and which were missed, and how many have a label due.

The server sends the number of rows that it has served with each batch. A gap to the rows that arrived is what was missed, also over
restarts of either side: served = counted + missed, always. Not here: what is in the rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .label_delay import LabelDelay

_SERVERS = 64  # server processes that are remembered, enough for a few starts of all workers; an older one sends nothing any more


@dataclass
class RowAccount:
    """Cumulative row counts of a pod; ``recent`` are the counted rows by stretch of the label delay."""

    delay: LabelDelay
    served: int = 0
    counted: int = 0
    missed: int = 0
    captured: int = 0
    due: int = 0
    servers: dict[str, int] = field(default_factory=dict)
    recent: dict[int, int] = field(default_factory=dict)

    def add_batch(self, server: str, served: int, rows: int, seconds: float) -> None:
        """Count a batch that arrived; ``served`` is the server's own count, these rows included; ``seconds`` since the epoch."""
        new = max(served - self.servers.pop(server, 0), rows)
        self.servers[server] = served
        while len(self.servers) > _SERVERS:
            del self.servers[next(iter(self.servers))]
        self.served += new
        self.counted += rows
        self.missed += new - rows
        if rows:
            self._add_recent(self.delay.stretch(seconds), rows)

    def advance(self, now: float) -> None:
        """Find the rows that are due, and those that are recent."""
        self.recent = {stretch: self.recent[stretch] for stretch in self.delay.recent(self.recent, now)}
        self.due = self.counted - sum(rows for stretch, rows in self.recent.items() if not self.delay.is_over(stretch, now))

    def add_earlier(self, rows: dict[str, int], recent: Mapping[int, int] | None, now: float) -> None:
        """Add the row counts of the pod before a restart; rows that were not due count as new ones where ``recent`` is not known.

        A server that outlived the sidecar has those rows in its own count, so they seem to be missed until now.
        """
        known = min(self.missed, rows["served"])
        self.served -= known
        self.missed -= known
        for name, number in rows.items():
            setattr(self, name, getattr(self, name) + number)
        not_due = {self.delay.stretch(now): max(0, rows["counted"] - rows["due"])}
        for stretch, number in (not_due if recent is None else recent).items():
            self._add_recent(stretch, number)

    def rows(self) -> dict[str, int]:
        """Return the counts as the report names them."""
        return {name: getattr(self, name) for name in ("served", "counted", "missed", "captured", "due")}

    def dump(self) -> dict[str, Any]:
        """Return all that a restarted sidecar needs."""
        return {**self.rows(), "servers": self.servers, "recent": {str(stretch): rows for stretch, rows in self.recent.items()}}

    def load(self, document: dict[str, Any]) -> None:
        """Go on from a dump."""
        for name in self.rows():
            setattr(self, name, document[name])
        self.servers = dict(document["servers"])
        self.recent = {int(stretch): rows for stretch, rows in document.get("recent", {}).items()}

    def _add_recent(self, stretch: int, rows: int) -> None:
        self.recent[stretch] = self.recent.get(stretch, 0) + rows
