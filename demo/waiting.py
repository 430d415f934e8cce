"""Waits for a goal while the story is shown: observes the cluster every second, and reports its conditions where the time runs out.

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
_NO_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Goal:
    """What is waited for, when it is so, and for how long at most."""

    text: str
    reached: Callable[[Story], bool]
    seconds: float


class StoryPoller:
    """Keeps the story up to date and shows it."""

    def __init__(self, observer: Observer, log: ReplayLog, timed: Timed) -> None:
        self._observer = observer
        self._log = log
        self._timed = timed

    def wait_for(self, goal: Goal, story: Story, narrator: Narrator) -> Story:
        """Return the story as it is when the goal is reached.

        Raises:
            DemoError: the goal is not reached in time, or the API server does not answer for a minute.

        """
        began = answered = time.monotonic()
        while True:
            observation, now = self._observer.observe(), time.monotonic()
            if observation is not None:
                answered, story = now, story.updated(observation, self._log.days)
                narrator.show(story, goal.text, self._timed.elapsed)
                if goal.reached(story):
                    return story
            if now - answered > _NO_ANSWER_SECONDS:
                raise DemoError(f"the API server did not answer for {_NO_ANSWER_SECONDS:.0f} s while this was waited for: {goal.text}")
            if now - began > goal.seconds:
                raise DemoError(self._timeout_message(goal))
            time.sleep(_PAUSE_SECONDS)

    def _timeout_message(self, goal: Goal) -> str:
        said = "\n  ".join(self._observer.problems())
        return f"not so after {goal.seconds:.0f} s: {goal.text}. The cluster says:\n  {said}"
