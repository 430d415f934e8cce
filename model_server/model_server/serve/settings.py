"""Limits of the server, each with an environment variable that changes it.

Not here: what the pod is told of its model, which is the contract's ``PodDocument``.
"""

import os
from dataclasses import dataclass

from ..processors import processors
from .errors import StartRefused

_THREADS_WITHOUT_LIMIT = 8


@dataclass(frozen=True)
class Limits:
    """What one server takes at once.

    ``body_bytes`` of one request; ``rows`` of one request; ``requests`` that are computed or wait for it; ``buffered_bytes`` of the bodies
    of all requests that are received, wait or are computed; ``body_seconds`` until a body must have arrived; ``threads`` that compute.
    """

    body_bytes: int = 8 * 2**20
    rows: int = 65_536
    requests: int = 128
    buffered_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    threads: int = 1

    @classmethod
    def from_environment(cls) -> "Limits":
        """Read ``MLMODEL_MAX_BODY_BYTES``, ``MLMODEL_MAX_ROWS``, ``MLMODEL_MAX_REQUESTS`` and ``MLMODEL_THREADS``.

        Without the last, the CPU limit is the number of threads; without a limit it is that of the processors, at most 8.

        Raises:
            StartRefused: a variable is no whole number above zero.

        """
        body = _positive("MLMODEL_MAX_BODY_BYTES", cls.body_bytes)
        threads = _positive("MLMODEL_THREADS", processors(_THREADS_WITHOUT_LIMIT))
        return cls(
            body_bytes=body,
            rows=_positive("MLMODEL_MAX_ROWS", cls.rows),
            requests=_positive("MLMODEL_MAX_REQUESTS", max(cls.requests, 32 * threads)),
            buffered_bytes=max(cls.buffered_bytes, body),
            threads=threads,
        )


def _positive(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise StartRefused(f"the environment variable {name} is '{text}': give a whole number above zero")
    return int(text)
