"""Waiting while the story is told: looks every second until something is so, and says what the cluster says when it never is.

Not here: what is waited for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from demo.errors import DemoError
from demo.narrator import Narrator
from demo.observer import Observer, ReplayLog
from demo.story import Story
from demo.timing import Timed

_PAUSE_SECONDS = 1.0
_BLIND_SECONDS = 60.0


@dataclass(frozen=True)
class Goal:
    """What is waited for, when it is so, and for how long at most."""

    text: str
    reached: Callable[[Story], bool]
    seconds: float


class Watch:
    """Keeps the story up to date and tells it."""

    def __init__(self, observer: Observer, log: ReplayLog, timed: Timed) -> None:
        self._observer = observer
        self._log = log
        self._timed = timed

    def until(self, goal: Goal, story: Story, narrator: Narrator) -> Story:
        """Return the story as it is when the goal is reached.

        Raises:
            DemoError: the goal is not reached in time, or the API server does not answer for a minute.

        """
        began = seen = time.monotonic()
        while True:
            sight, now = self._observer.look(), time.monotonic()
            if sight is not None:
                seen, story = now, story.seen(sight, self._log.days)
                narrator.tell(story, goal.text, self._timed.elapsed)
                if goal.reached(story):
                    return story
            if now - seen > _BLIND_SECONDS:
                raise DemoError(f"the API server did not answer for {_BLIND_SECONDS:.0f} s while this was waited for: {goal.text}")
            if now - began > goal.seconds:
                raise DemoError(self._never(goal))
            time.sleep(_PAUSE_SECONDS)

    def _never(self, goal: Goal) -> str:
        said = "\n  ".join(self._observer.troubles())
        return f"not so after {goal.seconds:.0f} s: {goal.text}. The cluster says:\n  {said}"
