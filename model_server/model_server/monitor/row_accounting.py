"""Which of the server's rows were counted and which were missed, and how many have a label due.

The server sends the number of rows that it has served with each batch. A gap to the rows that arrived is what was missed, also over
restarts of either side: served = counted + missed, always. Not here: what is in the rows.
"""

from dataclasses import dataclass, field
from typing import Any

_SERVERS = 64  # server processes that are remembered, enough for a few starts of all workers; an older one sends nothing any more
_PARTS = 200  # of the label delay, within which rows become due together


@dataclass
class RowAccount:
    """Cumulative row counts of a pod. ``label_delay`` is in seconds."""

    label_delay: float
    served: int = 0
    counted: int = 0
    missed: int = 0
    captured: int = 0
    due: int = 0
    servers: dict[str, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)

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
            part = int(seconds // self._width)
            self.waiting[part] = self.waiting.get(part, 0) + rows

    def advance(self, now: float) -> None:
        """Move rows whose label delay is over to ``due``."""
        for part in [part for part in self.waiting if (part + 1) * self._width + self.label_delay <= now]:
            self.due += self.waiting.pop(part)

    def add_earlier(self, rows: dict[str, int], now: float) -> None:
        """Add the row counts of the pod before a restart; rows whose label was not due count as new ones.

        A server that outlived the sidecar has those rows in its own count, so they seem to be missed until now.
        """
        known = min(self.missed, rows["served"])
        self.served -= known
        self.missed -= known
        for name, number in rows.items():
            setattr(self, name, getattr(self, name) + number)
        not_due = max(0, rows["counted"] - rows["due"])
        part = int(now // self._width)
        self.waiting[part] = self.waiting.get(part, 0) + not_due

    def rows(self) -> dict[str, int]:
        """Return the counts as the report names them."""
        return {name: getattr(self, name) for name in ("served", "counted", "missed", "captured", "due")}

    def dump(self) -> dict[str, Any]:
        """Return all that a restarted sidecar needs."""
        return {**self.rows(), "servers": self.servers, "waiting": {str(part): rows for part, rows in self.waiting.items()}}

    def load(self, document: dict[str, Any]) -> None:
        """Go on from a dump."""
        for name in self.rows():
            setattr(self, name, document[name])
        self.servers = dict(document["servers"])
        self.waiting = {int(part): rows for part, rows in document["waiting"].items()}

    @property
    def _width(self) -> float:
        return max(1.0, self.label_delay / _PARTS)
