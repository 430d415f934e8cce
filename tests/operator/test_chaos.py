"""Crashes between any two writes, stale views, any order of events: it ends as it does undisturbed, and no rule breaks on the way."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, MODEL_VERSION, SERVICE, WATCHED
from mlmodel_operator.decide.desired_state import DesiredState
from mlmodel_operator.errors import ConflictError

from tests.operator.support import manifests, players
from tests.operator.support.manifests import NAME
from tests.operator.support.story import Story

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "8"))
"""How many random lives are lived; set it to some hundreds after a change of decide or act."""

MANIFEST = manifests.spec(retraining={"cooldown": "100d"})
OTHER = {"task": "Classification", "trials": 2, "selectBy": "log_loss"}

DEEDS: dict[str, Callable[[Story], object]] = {
    "nothing": lambda story: story.settle(),
    "retrain": lambda story: story.annotate(retrain=str(story.run_number)),
    "edit": lambda story: story.edit(training=OTHER | {"trials": 1 + story.run_number}),
    "scale": lambda story: story.edit(serving={"replicas": 3}),
    "roll back": lambda story: story.annotate(rollback_to=f"{NAME}-v1 {story.run_number}"),
    "pause": lambda story: (story.edit(suspend=True), story.edit(suspend=None)),
}


Script = Sequence[tuple[Sequence[Callable[[Story], None]], str]]


class CrashError(Exception):
    """The operator is killed."""


@dataclass(frozen=True)
class Turn:
    """One turn of the operator, on as much as it has seen, killed before or after a write, if that comes."""

    seen: tuple[int, ...]  # events of each kind that reach it first
    killed_at: int | None
    before: bool

    def __call__(self, story: Story) -> None:
        for kind, most in zip(WATCHED, self.seen, strict=False):
            story.world.deliver(story.cache, kind, most)
        count = itertools.count()

        def kill(_: str) -> None:
            if next(count) == self.killed_at:
                raise CrashError

        story.guard(before=kill) if self.before else story.guard(after=kill)
        try:
            story.take_turn()
        except CrashError:
            story.restart()
        except ConflictError:
            pass  # the queue takes the next turn
        finally:
            story.guard()


class Play:
    """One step of the controllers and kubelets."""

    def __call__(self, story: Story) -> None:
        play(story)

    def __repr__(self) -> str:
        return "Play()"


@dataclass(frozen=True)
class Wait:
    """A little time passes."""

    seconds: int

    def __call__(self, story: Story) -> None:
        story.now += timedelta(seconds=self.seconds)


turns = st.builds(
    Turn,
    seen=st.tuples(*(st.integers(0, 3) for _ in WATCHED)) | st.just((99,) * len(WATCHED)),
    killed_at=st.none() | st.integers(0, 9),
    before=st.booleans(),
)
steps = st.one_of(turns, turns, st.builds(Play), st.builds(Wait, st.integers(1, 3)))
segments = st.lists(st.tuples(st.lists(steps, max_size=20), st.sampled_from(sorted(DEEDS))), min_size=1, max_size=3)


def play(story: Story) -> bool:
    """Let one Job end or one Deployment get ready; False where there is nothing to do."""
    for job in players.active_jobs(story.world):
        run, stage = int(job["metadata"]["labels"]["mlmodel.dev/run"]), players.stage_of(job)
        document = job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
        champion = f"{NAME}-v1" if '"championVersion"' in document else None
        players.complete(story.world, run, Stage(stage), manifests.fine(stage, run, champion), story.now)
        return True
    for body in story.world.all(DEPLOYMENT):
        status = body.get("status", {})
        if status.get("observedGeneration") != body["metadata"]["generation"] or status["readyReplicas"] != body["spec"]["replicas"]:
            players.set_ready(story.world, body["metadata"]["name"])
            return True
    return False


def come_to_rest(story: Story) -> None:
    story.settle()
    while play(story):
        story.settle()
    story.wait(minutes=2)


def live_through(script: Script) -> Story:
    story = Story(MANIFEST)
    story.guard()
    return live(story, script)


def live(story: Story, script: Script) -> Story:
    story.observe()
    for chaos, deed in script:
        for step in chaos:
            step(story)
        come_to_rest(story)
        DEEDS[deed](story)
    come_to_rest(story)
    return story


def outcome(story: Story) -> dict[str, Any]:
    """All that must not depend on what happened on the way."""
    status = story.status
    numbers = range(1, len(story.world.names(MODEL_VERSION)) + 1)
    return {
        "run": status.run and (status.run.number, status.run.state, status.run.reason),
        "live": story.live,
        "traffic": story.traffic,
        "versions": [(story.version(number), story.version_status(number).phase) for number in numbers],
        "objects": {kind.name: story.world.names(kind) for kind in (JOB, DEPLOYMENT, SERVICE, MODEL_VERSION)},
        "conditions": {condition.type: (condition.status, condition.reason) for condition in status.conditions},
        "created": {what: count for what, count in story.world.writes.items() if what.startswith("create")},
        "remembered": status.retraining.model_copy(update={"not_before": None}),
    }


@cache
def undisturbed(deeds: tuple[str, ...]) -> dict[str, Any]:
    return outcome(live_through([([], deed) for deed in deeds]))


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(segments)
def test_disturbed_or_not_it_ends_the_same(script: list[tuple[list[Callable[[Story], None]], str]]) -> None:
    assert outcome(live_through(script)) == undisturbed(tuple(deed for _, deed in script))


class Mortal(Story):
    """Its operator is killed at every fourth write, before or after it, from the first or one of the next on."""

    def __init__(self, first: int, *, before: bool) -> None:
        self._writes = itertools.count(-first)
        self._before = before
        super().__init__(MANIFEST)

    def take_turn(self) -> DesiredState:
        while True:
            try:
                return super().take_turn()
            except CrashError:
                self.restart()

    def guard(self, *_: Any, **__: Any) -> None:
        super().guard(**{"before" if self._before else "after": self._kill})

    def _kill(self, _: str) -> None:
        if next(self._writes) % 4 == 0:
            raise CrashError


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("deeds", [("retrain", "roll back"), ("edit", "pause")], ids=" then ".join)
def test_crashes_around_every_single_write_change_nothing(deeds: tuple[str, ...], first: int, before: bool) -> None:
    story = Mortal(first, before=before)
    story.guard()
    live(story, [([], deed) for deed in deeds])
    assert outcome(story) == undisturbed(deeds)
