"""Limits of the server: those of the manifest, and environment variables for the others and for tests.

Not here: what concerns the model, which is in the contract's ``PodDocument``.
"""

import math
import os
from dataclasses import dataclass

from mlmodel_contract.base import duration
from mlmodel_contract.manifest import ServerSettings

from ..runtime.cpu_limits import available_cpus
from .errors import StartRefused

_THREADS_WITHOUT_LIMIT = 8
_DEFAULTS = ServerSettings()


@dataclass(frozen=True)
class ServerLimits:
    """What one server process accepts at once.

    ``body_bytes`` of one request; ``rows`` of one request; ``requests`` that are computed or wait for it; ``buffered_bytes`` of the bodies
    of all requests that are received, wait or are computed; ``body_seconds`` until a body must have arrived; ``threads`` that compute;
    ``batch_rows`` that are computed together (a request of more is computed alone); ``batch_seconds`` that a request waits for others to
    come; ``deadline_seconds`` after which a request that was not computed is given up. ``workers`` are the processes that share the ports.

    Of HTTP: ``connections`` at once; ``head_bytes`` and ``headers`` of a request's head; ``head_seconds`` until a head must have arrived;
    ``idle_seconds`` without a request until a connection is closed, longer than the proxies and clients in front, so that they close first;
    ``unread_seconds`` until a client must have read what it asked for.
    """

    body_bytes: int = _DEFAULTS.limits.max_body_bytes
    rows: int = _DEFAULTS.limits.max_rows
    requests: int = _DEFAULTS.limits.max_requests
    buffered_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    threads: int = 1
    batch_rows: int = _DEFAULTS.batcher.max_batch_size
    batch_seconds: float = duration(_DEFAULTS.batcher.max_latency).total_seconds()
    deadline_seconds: float = duration(_DEFAULTS.timeout).total_seconds()
    workers: int = _DEFAULTS.workers
    connections: int = 16_384
    head_bytes: int = 32_768
    headers: int = 100
    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    unread_seconds: float = 60.0

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> "ServerLimits":
        """Return the limits of the manifest; of those that are a pod's, the share of one worker.

        Environment variables come first: ``MLMODEL_THREADS``; ``MLMODEL_MAX_BODY_BYTES``, ``_ROWS``, ``_REQUESTS``, ``_CONNECTIONS``;
        ``MLMODEL_HEAD_SECONDS`` etc. Without the first, the CPU limit is the number of all workers' threads; where there is none, that of
        the processors is, at most 8.

        Raises:
            StartRefused: a variable is no number above zero, or no whole one where it must be.

        """
        limits, batcher, workers = settings.limits, settings.batcher, settings.workers
        body = _whole_number("MLMODEL_MAX_BODY_BYTES", limits.max_body_bytes)
        return cls(
            body_bytes=body,
            rows=_whole_number("MLMODEL_MAX_ROWS", limits.max_rows),
            requests=_share(_whole_number("MLMODEL_MAX_REQUESTS", limits.max_requests), workers),
            connections=_share(_whole_number("MLMODEL_MAX_CONNECTIONS", cls.connections), workers),
            buffered_bytes=max(_share(cls.buffered_bytes, workers), body),
            threads=max(1, _whole_number("MLMODEL_THREADS", available_cpus(_THREADS_WITHOUT_LIMIT)) // workers),
            batch_rows=batcher.max_batch_size,
            batch_seconds=duration(batcher.max_latency).total_seconds(),
            body_seconds=_seconds("MLMODEL_BODY_SECONDS", cls.body_seconds),
            deadline_seconds=_seconds("MLMODEL_DEADLINE_SECONDS", duration(settings.timeout).total_seconds()),
            workers=workers,
            head_seconds=_seconds("MLMODEL_HEAD_SECONDS", cls.head_seconds),
            idle_seconds=_seconds("MLMODEL_IDLE_SECONDS", cls.idle_seconds),
            unread_seconds=_seconds("MLMODEL_UNREAD_SECONDS", cls.unread_seconds),
        )


def _share(total: int, workers: int) -> int:
    """Return a worker's share, rounded up."""
    return -(-total // workers)


def _whole_number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise StartRefused(f"the environment variable {name} is '{text}': give a whole number above zero")
    return int(text)


def _seconds(name: str, default: float) -> float:
    text = os.environ.get(name, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise StartRefused(f"the environment variable {name} is '{text}': give a number of seconds above zero")
    return seconds
