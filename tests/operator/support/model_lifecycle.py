"""One model's life on the API server in memory.

The real gather, decide and act reconcile it, a clock is set by hand, and rules that must always hold are checked.
Not here: any expectation that is one test's own.
"""

import copy
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from mlmodel_contract.environment import LABEL_VERSION
from mlmodel_contract.run import Competition, Stage, StageResult
from mlmodel_contract.status import Condition, MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec
from mlmodel_operator.act import act
from mlmodel_operator.cluster.cache import Cache, Ref
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.cluster.informers import selector
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, ML_MODEL, MODEL_VERSION, SERVICE, WATCHED
from mlmodel_operator.cluster.ownership import Key
from mlmodel_operator.config import Config
from mlmodel_operator.decide import decide
from mlmodel_operator.decide.desired_state import DesiredState
from mlmodel_operator.snapshot import Snapshot, gather

from tests.operator.support import fake_controllers, manifests
from tests.operator.support.in_memory_api import InMemoryApi
from tests.operator.support.manifests import NAME, NAMESPACE, Body

KEY = Key(NAMESPACE, NAME)
CONFIG = Config.from_environment({"MLMODEL_SERVER_IMAGE": "registry/model-server:1", "POD_NAME": "operator-0"})
START = datetime(2024, 5, 1, 12, tzinfo=UTC)
MOST_RECONCILES = 25

Result = TypeVar("Result")


def finished(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(Result, stop.value)
    raise AssertionError("it waited for something")


class ModelLifecycle:
    """A model, from its manifest on."""

    def __init__(self, spec: Body | None = None, *, config: Config = CONFIG, annotations: dict[str, str] | None = None) -> None:
        self.now = START
        self.config = config
        self.cache = Cache()
        self.api = InMemoryApi(lambda: self.now)
        self._versions: dict[str, Body] = {}
        self.api.put(manifests.model(spec or manifests.spec(), annotations=annotations))

    # Reconciling.

    def observe(self) -> None:
        """Deliver every watch event to the operator."""
        for kind in WATCHED:
            self.api.deliver(self.cache, kind)

    def snapshot(self) -> Snapshot:
        snapshot = gather(self.cache, KEY)
        assert snapshot is not None
        return snapshot

    def reconcile(self) -> DesiredState:
        """Decide on what is in the cache, and act."""
        snapshot = self.snapshot()
        decision = decide(snapshot, self.config, self.now)
        finished(act(decision, snapshot, cast(Client, self.api), self.cache, self.config))
        self.check()
        running = {job["metadata"]["labels"]["mlmodel.dev/run"] for job in fake_controllers.active_jobs(self.api)}
        assert len(running) <= 1, f"two runs at once: {running}, {self.api.names(JOB)}"
        return decision

    def settle(self) -> DesiredState:
        """Reconcile until nothing is written any more; it must come to rest."""
        for _ in range(MOST_RECONCILES):
            before = self.api.writes.total()
            self.observe()
            decision = self.reconcile()
            if self.api.writes.total() == before:
                assert decision.status == self.status
                return decision
        raise AssertionError(f"no rest after {MOST_RECONCILES} reconciles: {self.api.writes}")

    def restart(self) -> None:
        """End the operator and start another one, which lists everything."""
        self.cache = Cache()
        for kind in WATCHED:
            self.api.pending[kind].clear()
            listed, version = finished(self.api.list_all(kind, None, selector(kind)))
            self.cache.replace(kind, listed, version)

    def wait(self, **length: float) -> DesiredState:
        """Let time pass, then settle."""
        self.now += timedelta(**length)
        return self.settle()

    # What others do; the operator then settles.

    def ends(self, stage: Stage, *results: StageResult, run: int | None = None) -> DesiredState:
        """Let a stage of the present run end with these results; fine ones by default."""
        number = run or self.run_number
        champion = self.status.run.champion if self.status.run else None
        messages = [result.model_dump_json(by_alias=True) for result in results] or manifests.fine(stage, number, champion)
        fake_controllers.complete(self.api, number, stage, messages, self.now)
        return self.settle()

    def run_through(
        self, package: StageResult | None = None, *, prepared: StageResult | None = None, trained: Sequence[StageResult] = ()
    ) -> DesiredState:
        """Let the present run pass all its stages."""
        self.ends(Stage.PREPARE, *([prepared] if prepared else []))
        self.ends(Stage.TRAIN, *trained)
        self.ends(Stage.PACKAGE, *([package] if package else []))
        return self.ends(Stage.VERIFY)

    def go_live(self, package: StageResult | None = None) -> DesiredState:
        """Bring the first version to live."""
        self.settle()
        self.run_through(package)
        return self.ready(f"{NAME}-v1")

    def ready(self, version: str, pods: int | None = None) -> DesiredState:
        fake_controllers.set_ready(self.api, version, pods)
        return self.settle()

    def reports(self, version: str, rows: fake_controllers.LiveRows, *, pod: str | None = None, sequence: int = 1) -> DesiredState:
        fake_controllers.report(self.api, pod or f"{version}-0", version, rows, sequence, self.now)
        return self.settle()

    def edit(self, **parts: Any) -> DesiredState:
        """Change top-level parts of the spec; None removes one."""

        def change(body: Body) -> None:
            body["spec"] = {name: value for name, value in (body["spec"] | parts).items() if value is not None}

        self.api.change(ML_MODEL, NAME, change)
        return self.settle()

    def annotate(self, **annotations: str) -> DesiredState:
        """Set annotations mlmodel.dev/NAME."""
        named = {f"mlmodel.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        self.api.change(ML_MODEL, NAME, lambda body: body["metadata"].setdefault("annotations", {}).update(named))
        return self.settle()

    # What is there.

    @property
    def status(self) -> MLModelStatus:
        return MLModelStatus.model_validate(self.api.objects[Ref(ML_MODEL, NAME)].get("status", {}))

    @property
    def run_number(self) -> int:
        assert self.status.run is not None
        return self.status.run.number

    @property
    def run_state(self) -> str:
        assert self.status.run is not None
        return self.status.run.state

    @property
    def competition(self) -> Competition:
        """What the present run compares; it must be one that compares."""
        assert self.status.run is not None
        assert self.status.run.competition is not None
        return self.status.run.competition

    @property
    def progress(self) -> str:
        assert self.status.run is not None
        return self.status.run.progress

    @property
    def live(self) -> str | None:
        return self.status.live.version if self.status.live else None

    @property
    def decisions(self) -> list[str]:
        """The words of all Events so far."""
        return [event["reason"] for event in self.api.events]

    def condition(self, name: str) -> Condition:
        return next(condition for condition in self.status.conditions if condition.type == name)

    def version(self, number: int) -> ModelVersionSpec:
        return ModelVersionSpec.model_validate(self.api.objects[Ref(MODEL_VERSION, f"{NAME}-v{number}")]["spec"])

    def version_status(self, number: int) -> ModelVersionStatus:
        return ModelVersionStatus.model_validate(self.api.objects[Ref(MODEL_VERSION, f"{NAME}-v{number}")].get("status", {}))

    @property
    def traffic(self) -> str | None:
        """The version that the model's Service sends to; None where it is not there or somebody else's."""
        service = self.api.objects.get(Ref(SERVICE, NAME))
        return service["spec"]["selector"].get(LABEL_VERSION) if service else None

    # What must always hold.

    def check(self) -> None:
        """Look for broken rules; called after each reconcile and, with ``guard``, around each write."""
        self._check_versions()
        if self.traffic is not None:
            assert Ref(DEPLOYMENT, self.traffic) in self.api.objects, f"the Service sends to {self.traffic}, which has no pods"
            rejected = [
                body["metadata"]["name"] for body in self.api.all(MODEL_VERSION) if body["spec"]["decision"]["verdict"] == "Rejected"
            ]
            assert self.traffic not in rejected

    def _check_versions(self) -> None:
        for body in self.api.all(MODEL_VERSION):
            uid = body["metadata"]["uid"]
            if uid not in self._versions:
                self._versions[uid] = copy.deepcopy(body["spec"])
            assert body["spec"] == self._versions[uid], f"{body['metadata']['name']} was changed"

    def guard(self, before: Callable[[str], None] = lambda _: None, after: Callable[[str], None] = lambda _: None) -> None:
        """Check the rules after every single write, and call the hooks around it."""

        def checked(what: str) -> None:
            self.check()
            after(what)

        self.api.before, self.api.after = before, checked
