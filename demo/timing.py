"""Steps that are shown while they run, and remembered with their seconds for the summary.

Not here: the steps.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from devtools.progress import Step, Steps


class Timed:
    """Runs steps and keeps what each took."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.spent: list[tuple[str, float]] = []
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the demonstration's start."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Show the step, and remember its seconds."""
        with self.remembered(text), self.steps.step(text) as step:
            yield step

    @contextmanager
    def remembered(self, text: str) -> Iterator[None]:
        """Remember the seconds of something that shows itself."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.spent.append((text, time.monotonic() - started))
