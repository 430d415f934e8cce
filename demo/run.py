"""The demonstration from its first step to its verdict, in order. Each step is described where it is done.

Not here: the command line.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd
from rich.console import Console

from demo import install, manifests, plot, summary
from demo.errors import DemoError
from demo.first_version import losses_by_day
from demo.flights import FEATURES, TARGET, TIME, read_flights
from demo.manifests import Keys
from demo.narrator import Narrator, narrator_for
from demo.observer import Observer, ReplayLog
from demo.scenario import NAMESPACE, REPLAY, RESULTS, Scenario
from demo.storage import Bucket, open_bucket
from demo.story import FirstLoss, Story
from demo.timing import Timed
from demo.verdict import Requirement, judge
from demo.waiting import Goal, Watch
from devtools.cluster.clusters import Cluster, pick, shell_lines
from devtools.errors import CommandError
from devtools.progress import Steps

_FIRST_VERSION_SECONDS = 900
_RUN_SECONDS = 300


@dataclass(frozen=True)
class Stage:
    """What every step needs."""

    scenario: Scenario
    console: Console
    timed: Timed
    cluster: Cluster


@dataclass(frozen=True)
class Outcome:
    """How it ended."""

    story: Story
    requirements: list[Requirement]

    @property
    def good(self) -> bool:
        """Whether all was shown that had to be."""
        return all(requirement.met for requirement in self.requirements)


def run(scenario: Scenario, console: Console) -> Outcome:
    """Run the demonstration.

    Raises:
        DemoError, DevtoolsError: a step could not be done.

    """
    timed = Timed(Steps(console))
    stage = Stage(scenario, console, timed, pick())
    with timed.remembered("cluster"):
        stage.cluster.up(timed.steps)
    images = _prepare(stage)
    keys = Keys.new()
    with timed.step("the airline's namespace and its S3 server"):
        install.start_storage(stage.cluster, images, keys)
    with timed.step("flights of 2013 with the weather"):
        rows = read_flights().rows
    replayed = rows[(rows["day"] >= scenario.first) & (rows["day"] <= scenario.last)]
    with open_bucket(stage.cluster.kubectl(), keys) as bucket:
        with timed.step("upload of the rows"):
            _upload(bucket, rows, replayed, scenario)
        story = _tell(stage, images, bucket, replayed)
    outcome = Outcome(story, judge(story))
    _conclude(stage, outcome)
    return outcome


def _prepare(stage: Stage) -> dict[str, str]:
    """Build and load the images, install the operator, remove what an earlier demonstration left."""
    timed, cluster = stage.timed, stage.cluster
    install.begin_removal(cluster)
    images = install.load_images(cluster, timed)
    with timed.step("program helm") as step:
        helm = install.helm(step)
    with timed.step("operator (helm upgrade --install)"):
        install.install_operator(cluster, helm, images)
    with timed.step("end of an earlier demonstration's namespace"):
        install.await_removal(cluster)
    return images


def _upload(bucket: Bucket, rows: pd.DataFrame, replayed: pd.DataFrame, scenario: Scenario) -> None:
    history = rows[(rows["day"] >= scenario.history_first) & (rows["day"] <= scenario.history_last)]
    for month, part in history.groupby(history["day"].astype(str).str[:7]):
        bucket.put(part[[TIME, *FEATURES, TARGET]], f"history/{month}.parquet")
    bucket.put(replayed, "replay/flights.parquet")


def _tell(stage: Stage, images: dict[str, str], bucket: Bucket, replayed: pd.DataFrame) -> Story:
    """Apply the model, replay the flights, and look on until all is decided."""
    kubectl, timed = stage.cluster.kubectl(), stage.timed
    log = ReplayLog(kubectl)
    watch = Watch(Observer(stage.cluster.kubeconfig), log, timed)
    story, narrator = Story(stage.scenario), narrator_for(stage.console)
    kubectl.apply(*manifests.model(), manager="demo")
    with timed.remembered("first version: checked, trained, judged, served"), narrator.telling():
        story = watch.until(Goal("waiting for the first version to serve", _serves, _FIRST_VERSION_SECONDS), story, narrator)
    with timed.step("what the first version alone would predict"):
        story = replace(story, first=_first(bucket, story, replayed))
    with _replaying(stage, images), log.followed(), narrator.telling():
        with timed.remembered(f"replay of {stage.scenario.days} days"):
            goal = Goal("flights are sent, and the operator looks on", _replayed, stage.scenario.seconds * 1.5 + 120)
            story = watch.until(goal, story, narrator)
        log.drain()
        if story.replay == "Failed":
            raise DemoError(f"the replay ended with an error: {log.last_words or 'it left no word'}")
        return _last_run(stage, watch, story, narrator)


def _last_run(stage: Stage, watch: Watch, story: Story, narrator: Narrator) -> Story:
    """Wait for the run that the end of the replay found under way."""
    with stage.timed.remembered("the last run"):
        return watch.until(Goal("waiting for the end of the last run", _decided, _RUN_SECONDS), story, narrator)


@contextmanager
def _replaying(stage: Stage, names: dict[str, str]) -> Iterator[None]:
    """Run the replay's Job; where the person interrupts it, no traffic goes on."""
    kubectl = stage.cluster.kubectl()
    kubectl.apply(*manifests.replay(names, stage.scenario), manager="demo")
    try:
        yield
    except BaseException:
        with suppress(CommandError):  # what ended the replay is what has to be told
            kubectl.within(NAMESPACE)("delete", "job", REPLAY, "--ignore-not-found", "--wait=false")
        raise


def _first(bucket: Bucket, story: Story, replayed: pd.DataFrame) -> Mapping[date, FirstLoss]:
    """Fetch the live version's bundle, and let it predict all flights that will be replayed."""
    live = story.status.live
    if live is None or live.version not in story.versions:
        raise DemoError("the first version stopped serving before the replay began: see its ModelVersion's status")
    artifact = story.versions[live.version].spec.artifact
    with tempfile.TemporaryDirectory() as folder:
        bucket.get_folder(artifact.uri, Path(folder))
        return losses_by_day(Path(folder), artifact.digest, replayed)


def _serves(story: Story) -> bool:
    return story.status.live is not None and story.status.live.ready_replicas > 0


def _replayed(story: Story) -> bool:
    return story.replay in ("Succeeded", "Failed")


def _decided(story: Story) -> bool:
    run = story.status.run
    return (run is None or run.state != "Running") and story.status.candidate is None


def _conclude(stage: Stage, outcome: Outcome) -> None:
    picture = RESULTS / "flights.png"
    with stage.timed.step("picture"):
        plot.save(outcome.story, picture)
    summary.print_versions(stage.console, outcome.story)
    summary.print_losses(stage.console, outcome.story)
    summary.print_times(stage.console, stage.timed.spent)
    summary.print_requirements(stage.console, outcome.requirements)
    summary.print_next(stage.console, shell_lines(stage.cluster), picture)
