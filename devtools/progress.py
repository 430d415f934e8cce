"""What the person at the terminal sees: each step, what it is at, and the seconds it took. Decides nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_QUIET_SECONDS = 30  # a log that is no terminal gets a line about a long step so often


@dataclass
class Step:
    """One step under way."""

    console: Console
    progress: Progress
    task: TaskID
    text: str
    started: float = field(default_factory=time.monotonic)
    last_line: float = field(default_factory=time.monotonic)

    def note(self, detail: str) -> None:
        """Say what the step is at right now."""
        self.progress.update(self.task, description=f"{escape(self.text)}: [dim]{escape(detail)}[/dim]")
        now = time.monotonic()
        if not self.console.is_terminal and now - self.last_line > _QUIET_SECONDS:
            self.last_line = now
            self.console.print(f"  {escape(self.text)}: {escape(detail)} ({now - self.started:.0f} s)", highlight=False)


class Steps:
    """Prints the steps of one command to a console (standard error when none is given). Threads may share it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._under_way = 0
        self._lock = threading.Lock()

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Show `text` with a clock while the block runs, then one line with its seconds."""
        started = time.monotonic()
        task = self._begin(text)
        sign = "[red]failed[/red]"
        try:
            yield Step(self.console, self._progress, task, text)
            sign = "[green]ok[/green]    "
        finally:
            self._end(task)
            self.console.print(f"{sign} {escape(text)} [dim]{time.monotonic() - started:.1f} s[/dim]", highlight=False)

    def _begin(self, text: str) -> TaskID:
        with self._lock:
            self._under_way += 1
            if self._under_way == 1:
                self._progress.start()
            return self._progress.add_task(escape(text))

    def _end(self, task: TaskID) -> None:
        """Take the step's line away, and the whole display when no other step is under way."""
        with self._lock:
            self._progress.remove_task(task)
            self._under_way -= 1
            if self._under_way == 0:
                self._progress.stop()

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self.console.print(escape(text), highlight=False, soft_wrap=True)
