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

from tests.operator.support import fake_controllers, manifests
from tests.operator.support.manifests import NAME
from tests.operator.support.model_lifecycle import ModelLifecycle

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "8"))
"""How many random lives are lived; set it to some hundreds after a change of decide or act."""

MANIFEST = manifests.spec(retraining={"cooldown": "100d"})
OTHER = {"task": "Classification", "trials": 2, "selectBy": "log_loss"}

DEEDS: dict[str, Callable[[ModelLifecycle], object]] = {
    "nothing": lambda model: model.settle(),
    "retrain": lambda model: model.annotate(retrain=str(model.run_number)),
    "edit": lambda model: model.edit(training=OTHER | {"trials": 1 + model.run_number}),
    "scale": lambda model: model.edit(serving={"replicas": 3}),
    "roll back": lambda model: model.annotate(rollback_to=f"{NAME}-v1 {model.run_number}"),
    "pause": lambda model: (model.edit(suspend=True), model.edit(suspend=None)),
}


Script = Sequence[tuple[Sequence[Callable[[ModelLifecycle], None]], str]]


class CrashError(Exception):
    """The operator is killed."""


@dataclass(frozen=True)
class Reconcile:
    """One reconcile of the operator, on as much as was delivered, killed before or after a write, if that comes."""

    delivered: tuple[int, ...]  # events of each kind that reach it first
    killed_at: int | None
    before: bool

    def __call__(self, model: ModelLifecycle) -> None:
        for kind, most in zip(WATCHED, self.delivered, strict=False):
            model.api.deliver(model.cache, kind, most)
        count = itertools.count()

        def kill(_: str) -> None:
            if next(count) == self.killed_at:
                raise CrashError

        model.guard(before=kill) if self.before else model.guard(after=kill)
        try:
            model.reconcile()
        except CrashError:
            model.restart()
        except ConflictError:
            pass  # the queue reconciles again
        finally:
            model.guard()


class ControllersStep:
    """One step of the controllers and kubelets."""

    def __call__(self, model: ModelLifecycle) -> None:
        step_controllers(model)

    def __repr__(self) -> str:
        return "ControllersStep()"


@dataclass(frozen=True)
class Wait:
    """A little time passes."""

    seconds: int

    def __call__(self, model: ModelLifecycle) -> None:
        model.now += timedelta(seconds=self.seconds)


reconciles = st.builds(
    Reconcile,
    delivered=st.tuples(*(st.integers(0, 3) for _ in WATCHED)) | st.just((99,) * len(WATCHED)),
    killed_at=st.none() | st.integers(0, 9),
    before=st.booleans(),
)
steps = st.one_of(reconciles, reconciles, st.builds(ControllersStep), st.builds(Wait, st.integers(1, 3)))
segments = st.lists(st.tuples(st.lists(steps, max_size=20), st.sampled_from(sorted(DEEDS))), min_size=1, max_size=3)


def step_controllers(model: ModelLifecycle) -> bool:
    """Let one Job end or one Deployment get ready; False where there is nothing to do."""
    for job in fake_controllers.active_jobs(model.api):
        run, stage = int(job["metadata"]["labels"]["mlmodel.dev/run"]), fake_controllers.stage_of(job)
        document = job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
        champion = f"{NAME}-v1" if '"championVersion"' in document else None
        fake_controllers.complete(model.api, run, Stage(stage), manifests.fine(stage, run, champion), model.now)
        return True
    for body in model.api.all(DEPLOYMENT):
        status = body.get("status", {})
        if status.get("observedGeneration") != body["metadata"]["generation"] or status["readyReplicas"] != body["spec"]["replicas"]:
            fake_controllers.set_ready(model.api, body["metadata"]["name"])
            return True
    return False


def come_to_rest(model: ModelLifecycle) -> None:
    model.settle()
    while step_controllers(model):
        model.settle()
    model.wait(minutes=2)


def live_through(script: Script) -> ModelLifecycle:
    model = ModelLifecycle(MANIFEST)
    model.guard()
    return live(model, script)


def live(model: ModelLifecycle, script: Script) -> ModelLifecycle:
    model.observe()
    for chaos, deed in script:
        for step in chaos:
            step(model)
        come_to_rest(model)
        DEEDS[deed](model)
    come_to_rest(model)
    return model


def outcome(model: ModelLifecycle) -> dict[str, Any]:
    """All that must not depend on what happened on the way."""
    status = model.status
    numbers = range(1, len(model.api.names(MODEL_VERSION)) + 1)
    return {
        "run": status.run and (status.run.number, status.run.state, status.run.reason),
        "live": model.live,
        "traffic": model.traffic,
        "versions": [(model.version(number), model.version_status(number).phase) for number in numbers],
        "objects": {kind.name: model.api.names(kind) for kind in (JOB, DEPLOYMENT, SERVICE, MODEL_VERSION)},
        "conditions": {condition.type: (condition.status, condition.reason) for condition in status.conditions},
        "created": {what: count for what, count in model.api.writes.items() if what.startswith("create")},
        "remembered": status.retraining.replace(not_before=None, costs=[], source_checked=None, next=[], budget_free=None),  # no times
    }


@cache
def undisturbed(deeds: tuple[str, ...]) -> dict[str, Any]:
    return outcome(live_through([([], deed) for deed in deeds]))


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(segments)
def test_disturbed_or_not_it_ends_the_same(script: list[tuple[list[Callable[[ModelLifecycle], None]], str]]) -> None:
    assert outcome(live_through(script)) == undisturbed(tuple(deed for _, deed in script))


class KilledOften(ModelLifecycle):
    """Its operator is killed at every fourth write, before or after it, from the first or one of the next on."""

    def __init__(self, first: int, *, before: bool) -> None:
        self._writes = itertools.count(-first)
        self._before = before
        super().__init__(MANIFEST)

    def reconcile(self) -> DesiredState:
        while True:
            try:
                return super().reconcile()
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
    model = KilledOften(first, before=before)
    model.guard()
    live(model, [([], deed) for deed in deeds])
    assert outcome(model) == undisturbed(deeds)
