"""Shows the story while it happens: a live view where there is a terminal, else one line for whatever is new.

Not here: what the story is, and when it is over.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from demo.scenario import MODEL
from demo.screen import Progress, clock, draw
from demo.story import Story, Week


class Narrator(Protocol):
    """Shows the story."""

    def session(self) -> AbstractContextManager[None]:
        """Hold the area on the terminal while the block shows the story."""

    def show(self, story: Story, waiting_for: str, elapsed: float) -> None:
        """Show the story as it is now; ``elapsed`` seconds after the demonstration's start."""


class LiveNarrator:
    """Redraws the whole view."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    @contextmanager
    def session(self) -> Iterator[None]:
        """Draw below what was printed so far; the last view stays."""
        with Live(console=self._console, auto_refresh=False, vertical_overflow="crop") as self._live:
            yield
        self._live = None

    def show(self, story: Story, waiting_for: str, elapsed: float) -> None:
        """Redraw."""
        if self._live is not None:
            self._live.update(draw(story, Progress(datetime.now(UTC), waiting_for, elapsed)), refresh=True)


class LineNarrator:
    """Prints each decision, each change of the run, and each week that is over, once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: set[str] = set()

    def session(self) -> AbstractContextManager[None]:
        """Do nothing: lines need no area of their own."""
        return nullcontext()

    def show(self, story: Story, waiting_for: str, elapsed: float) -> None:
        """Print what is new."""
        self._once(waiting_for, waiting_for, elapsed)
        for decision in story.decisions:
            entry, day = decision.entry, f" on {decision.day:%d %b}" if decision.day else ""
            self._once(f"{entry.time} {entry.message}", f"{entry.decision}{day}: {entry.message}", elapsed)
        run = story.status.run
        if run is not None:
            line = f"run {run.number} ({run.reason.value}): {run.stage.value}, {run.state}"
            self._once(line, line, elapsed)
        drift = story.status.drift
        if drift is not None and story.status.live is not None:
            line = f"{story.status.live.version}: inputs {drift.state}, harm {drift.harm}"
            self._once(line, line, elapsed)
        for week in story.weeks[:-1]:
            self._once(f"week {week.start}", _week(week), elapsed)

    def _once(self, key: str, line: str, elapsed: float) -> None:
        if key not in self._printed:
            self._printed.add(key)
            self._console.print(f"{clock(elapsed):>6}  {escape(line)}", highlight=False, soft_wrap=True)


def narrator_for(console: Console) -> Narrator:
    """Return the live view for a terminal, else the lines."""
    return LiveNarrator(console) if console.is_terminal else LineNarrator(console)


def _week(week: Week) -> str:
    versions = ", ".join(version.removeprefix(f"{MODEL}-") for version in week.versions)
    first = f", first version alone {week.first:.3f}" if week.first is not None else ""
    return f"week of {week.start:%d %b}: {week.rows:,} flights, log loss {week.live:.3f}{first} ({versions})"
