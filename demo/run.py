"""The demonstration from its first step to its verdict, in order. Each step is described where it is done.

Not here: the command line.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from mlmodel_cli.backtest.judging import Judgement
from rich.console import Console

from demo import install, manifests, plot, summary
from demo.errors import DemoError
from demo.first_version import judge_alone
from demo.install import Built
from demo.manifests import Keys
from demo.narrator import Narrator, narrator_for
from demo.observer import Observer, ReplayLog
from demo.scenario import NAMESPACE, PREDICTIONS, REPLAY, RESULTS, Scenario
from demo.storage import Bucket, open_bucket
from demo.story import Story
from demo.timing import Timed
from demo.verdict import Requirement, check_requirements
from demo.waiting import Goal, StoryPoller
from demo.worth import Flights, Worth, compare
from devtools.cluster.clusters import Cluster, pick, shell_lines
from devtools.concurrency import run_both
from devtools.errors import CommandError
from devtools.flights import FEATURES, TARGET, TIME, read_flights
from devtools.progress import Steps

_FIRST_VERSION_SECONDS = 900
_RUN_SECONDS = 300


@dataclass(frozen=True)
class DemoContext:
    """What every step needs."""

    scenario: Scenario
    console: Console
    timed: Timed
    cluster: Cluster


@dataclass(frozen=True)
class Outcome:
    """How it ended."""

    story: Story
    worth: Worth
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
    context = DemoContext(scenario, console, timed, pick(metrics=False))
    images = _install(context, _start_and_build(context))
    keys = Keys.new()
    with timed.step("the airline's namespace and its S3 server"):
        install.start_storage(context.cluster, images, keys)
    with timed.step("flights of 2013 with the weather"):
        rows = read_flights().rows
        flights = Flights.of(rows, scenario, manifests.spec())
    with open_bucket(context.cluster.kubectl(), keys) as bucket:
        with timed.step("upload of the rows"):
            _upload(bucket, rows, scenario)
        story, first = _run_story(context, images, bucket, flights)
        served = flights.judged(bucket.get(PREDICTIONS))
    worth = _worth(context, flights, story, served, first)
    outcome = Outcome(story, worth, check_requirements(story, worth))
    _conclude(context, outcome)
    return outcome


def _start_and_build(context: DemoContext) -> Built:
    """Start the cluster, and build the images and helm meanwhile: each of the two has to wait for the network and the disk now and then."""
    timed, cluster = context.timed, context.cluster

    def start() -> None:
        with timed.remembered("cluster"):
            cluster.up(timed.steps)

    if cluster.name == "current":  # it asks a question, which nothing else may hide
        start()
        return install.build_all(timed)
    _, built = run_both(start, lambda: install.build_all(timed))
    return built


def _install(context: DemoContext, built: Built) -> dict[str, str]:
    """Load the images and install the operator; remove what an earlier demonstration left. Return the images' names, by target."""
    timed, cluster = context.timed, context.cluster
    install.begin_removal(cluster)
    with timed.step("images into the cluster"):
        images = install.load_images(cluster, built.archives)
    with timed.step("operator (helm upgrade --install)"):
        install.install_operator(cluster, built.helm, images)
    with timed.step("end of an earlier demonstration's namespace"):
        install.await_removal(cluster)
    return images


def _upload(bucket: Bucket, rows: pd.DataFrame, scenario: Scenario) -> None:
    history = rows[(rows["day"] >= scenario.history_first) & (rows["day"] <= scenario.history_last)]
    for month, part in history.groupby(history["day"].astype(str).str[:7]):
        bucket.put(part[[TIME, *FEATURES, TARGET]], f"history/{month}.parquet")
    bucket.put(rows[(rows["day"] >= scenario.first) & (rows["day"] <= scenario.last)], "replay/flights.parquet")


def _run_story(context: DemoContext, images: dict[str, str], bucket: Bucket, flights: Flights) -> tuple[Story, Judgement]:
    """Apply the model, replay the flights, and wait until all is decided; return how the first version alone would have done, too."""
    kubectl, timed = context.cluster.kubectl(), context.timed
    log = ReplayLog(kubectl)
    poller = StoryPoller(Observer(context.cluster.kubeconfig), log, timed)
    story, narrator = Story(context.scenario), narrator_for(context.console)
    kubectl.apply(*manifests.model(), manager="demo")
    with timed.remembered("first version: checked, trained, judged, served"), narrator.session():
        story = poller.wait_for(Goal("waiting for the first version to serve", _serves, _FIRST_VERSION_SECONDS), story, narrator)
    with timed.step("what the first version alone would predict"):
        first = _first(bucket, story, flights)
        story = replace(story, first=flights.by_day(first))
    with _replaying(context, images), log.following(), narrator.session():
        with timed.remembered(f"replay of {context.scenario.days} days"):
            goal = Goal("flights are sent, and the operator looks on", _replayed, context.scenario.seconds * 1.5 + 120)
            story = poller.wait_for(goal, story, narrator)
        log.drain()
        if story.replay == "Failed":
            raise DemoError(f"the replay ended with an error: {log.last_other_line or 'it left no word'}")
        return _last_run(context, poller, story, narrator), first


def _last_run(context: DemoContext, poller: StoryPoller, story: Story, narrator: Narrator) -> Story:
    """Wait for the run that the end of the replay found under way."""
    with context.timed.remembered("the last run"):
        return poller.wait_for(Goal("waiting for the end of the last run", _decided, _RUN_SECONDS), story, narrator)


@contextmanager
def _replaying(context: DemoContext, names: dict[str, str]) -> Iterator[None]:
    """Run the replay's Job; where the person interrupts it, no traffic goes on."""
    kubectl = context.cluster.kubectl()
    kubectl.apply(*manifests.replay(names, context.scenario), manager="demo")
    try:
        yield
    except BaseException:
        with suppress(CommandError):  # what ended the replay is the error to report
            kubectl.within(NAMESPACE)("delete", "job", REPLAY, "--ignore-not-found", "--wait=false")
        raise


def _first(bucket: Bucket, story: Story, flights: Flights) -> Judgement:
    """Fetch the live version's bundle, and let it predict all flights that will be replayed."""
    live = story.status.live
    if live is None or live.version not in story.versions:
        raise DemoError("the first version stopped serving before the replay began: see its ModelVersion's status")
    artifact = story.versions[live.version].spec.artifact
    with tempfile.TemporaryDirectory() as folder:
        bucket.get_folder(artifact.uri, Path(folder))
        return judge_alone(Path(folder), artifact.digest, flights)


def _worth(context: DemoContext, flights: Flights, story: Story, served: Judgement, first: Judgement) -> Worth:
    """Fit the schedules to compare with; not earlier, since the pods need the processors."""
    with context.timed.step("fits of never retraining and of monthly schedules, to compare with") as step:
        schedules = flights.schedules(os.cpu_count() or 1, story.typical_run, lambda share: step.note(f"{share:.0%}"))
        return compare(flights, story, served, first, schedules)


def _serves(story: Story) -> bool:
    return story.status.live is not None and story.status.live.ready_replicas > 0


def _replayed(story: Story) -> bool:
    return story.replay in ("Succeeded", "Failed")


def _decided(story: Story) -> bool:
    run = story.status.run
    return (run is None or run.state != "Running") and story.status.candidate is None


def _conclude(context: DemoContext, outcome: Outcome) -> None:
    picture = RESULTS / "flights.png"
    with context.timed.step("picture"):
        plot.save(outcome.story, outcome.worth, picture)
    summary.print_versions(context.console, outcome.story)
    summary.print_worth(context.console, outcome.worth)
    summary.print_times(context.console, context.timed.spent, context.timed.elapsed)
    summary.print_requirements(context.console, outcome.requirements)
    summary.print_next(context.console, shell_lines(context.cluster), picture)
