"""A run: the document that trainer pods are given, and the results that they leave in their termination messages.

A run passes the stages Prepare, Train (one trial for each index of its Job), Package and Verify; an import has Verify alone. Between
stages data lies in the store under ``run_folder``. Where the data is small the pod of Prepare does the stages after it too. A stage that
ends with exit code 0 leaves one of the results below, and a pod its stages' results as a message of at most 4 KB (``stage_results.py``);
any other exit code is a crash, and the last lines of the log are its message. Not here: how a stage does its work.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from .base import Document, Duration, Time
from .manifest import Data, Objective, Training, Window
from .version import (
    Artifact,
    Comparison,
    DataLineage,
    Estimate,
    Metrics,
    Reason,
    Recipe,
    RecipeRecord,
    SliceMetrics,
    VersionScore,
    Worth,
)

MESSAGE_LIMIT = 4096
"""Bytes that Kubernetes keeps of a termination message."""


class Stage(StrEnum):
    """One step of a run."""

    PREPARE = "Prepare"
    TRAIN = "Train"
    PACKAGE = "Package"
    VERIFY = "Verify"


class Quarantine(Document):
    """A time whose live rows are not learned from, because a feed was broken."""

    start: Time = Field(description="From this time on.")
    end: Time | None = Field(None, description="Until this time; absent while the feed is broken.")


class PooledVersion(Document):
    """An accepted version that is scored beside the champion on new labelled rows."""

    version: str = Field(max_length=253, description="Name of the ModelVersion.")
    artifact: Artifact = Field(description="Its bundle.")


class Competition(Document):
    """What a run compares: recipes on rows that none of their fits has seen, and versions on the same rows."""

    leader: Recipe | None = Field(None, description="The recipe that the live version was made by; None: a first run draws its recipes.")
    records: list[RecipeRecord] = Field(
        default_factory=list, max_length=24, description="The recipes that compete, with what is known of them."
    )
    tried: list[int] = Field(
        default_factory=list, max_length=24, description="Positions in ``records`` of those that this run fits and scores."
    )
    draws: int = Field(0, ge=0, description="How many candidates with newly drawn parameters are tried too.")
    versions: list[PooledVersion] = Field(default_factory=list, max_length=16, description="Earlier versions to score beside the champion.")
    since: Time | None = Field(None, description="Rows after this time are new: the last run has seen those before.")
    rows_read: int = Field(0, ge=0, description="The same as a number of rows, for data without a time.")
    change: Time | None = Field(None, description="When the world is known to have changed last.")
    older_champion: bool = Field(False, description="Whether the champion was kept by the last run, or came back.")

    @property
    def trials(self) -> int:
        """How many recipes the run tries."""
        return len(self.tried) + self.draws


class RunDocument(Document):
    """All that a trainer pod needs to know; it reads nothing from the Kubernetes API."""

    contract: int = Field(description="Version of the contract.")
    namespace: str
    model: str = Field(description="Name of the MLModel.")
    run: int
    reason: Reason
    stage: Stage
    store: str = Field(description="URI below which this model's runs, versions and captured rows lie.")
    store_credentials: str | None = Field(None, description="Secret with the store's keys, mounted below PATH_SECRETS.")
    objective: Objective | None = None
    data: Data | None = None
    training: Training | None = None
    champion: Artifact | None = Field(None, description="Bundle of the live version.")
    champion_version: str | None = None
    artifact: Artifact | None = Field(None, description="Verify: the bundle to verify.")
    quarantine: list[Quarantine] = Field(default_factory=list, description="Times whose captured rows are not to be learned from.")
    time: Time | None = Field(None, description="When the run was started: later rows are not there yet. None: the time of the clock.")
    competition: Competition | None = Field(None, description="None: every trial draws its candidate, as in a first run.")
    single_pod_from: int | None = Field(
        None,
        ge=0,
        description="Prepare: with so many new rows or more, of small data, its pod does the stages after it too; None: it stops.",
    )
    maturity: Duration = Field("7d", description="Captured rows younger than this are learned from only where nearly all have their label.")

    @property
    def version(self) -> str:
        """Name of the version that this run makes, if it makes one."""
        return version_name(self.model, self.run)

    @property
    def run_folder(self) -> str:
        """URI of the run's intermediate files."""
        return f"{self.store}/runs/{self.run}"

    @property
    def bundle_folder(self) -> str:
        """URI that the run's bundle is written to."""
        return f"{self.store}/versions/{self.version}"

    @property
    def captured_folder(self) -> str:
        """URI of the captured rows and labels."""
        return captured_folder(self.store)


def version_name(model: str, run: int) -> str:
    """Name of the version that run number ``run`` makes."""
    return f"{model}-v{run}"


def captured_folder(store: str) -> str:
    """URI of the live rows and labels that sidecars keep, see ``capture.py``."""
    return f"{store}/captured"


def feedback_folder(store: str) -> str:
    """URI of the folder that files of labels are dropped into, see ``capture.py``."""
    return f"{store}/feedback"


class Problem(Document):
    """One reason why data may not be learnt from, or a bundle not be served."""

    check: str = Field(
        max_length=40,
        description="One word, such as SourceMissing, MissingColumn, WrongType, OutOfRange, DigestDiffers, ForbiddenType.",
    )
    message: str = Field(max_length=400, description="One sentence that names what is wrong and the remedy.")


class PrepareResult(Document):
    """The data check's result. With problems nothing was kept and nothing may be trained."""

    stage: Literal[Stage.PREPARE] = Stage.PREPARE
    problems: list[Problem] = Field(default_factory=list)
    lineage: DataLineage | None = None
    dropped: dict[str, int] = Field(default_factory=dict, description="Rows that cleaning dropped, by cause.")
    new_rows: int = Field(0, ge=0, description="Rows that no earlier run has seen.")
    interrupted_in: Stage | None = Field(
        None, description="The stage after this one in which an earlier attempt of the pod died; from there on each has a pod of its own."
    )
    cpu_seconds: float = 0.0


class TrialResult(Document):
    """One trial: a recipe scored by ``selectBy``, on the folds of a first run, else on the holdout by a fit that has not seen it."""

    stage: Literal[Stage.TRAIN] = Stage.TRAIN
    index: int
    candidate: str
    parameters: dict[str, str] = Field(default_factory=dict, description="The drawn parameters, as JSON.")
    score: float | None = Field(None, description="Mean over the folds; None where the estimator failed.")
    deviation: float = Field(0.0, description="Standard deviation over the folds.")
    failure: str | None = Field(None, max_length=400, description="Why the estimator could not be fitted with these parameters.")
    window: Window = Window.ALL
    since: Time | None = None
    fits: int = 0
    cpu_seconds: float = 0.0

    @property
    def recipe(self) -> Recipe:
        """The recipe that was tried."""
        return Recipe(candidate=self.candidate, parameters=self.parameters, window=self.window, since=self.since)


class ScoringResult(Document):
    """The champion and earlier versions on the new labelled rows; the last index of the stage Train."""

    stage: Literal["Scoring"] = "Scoring"
    problems: list[Problem] = Field(default_factory=list)
    champion: float | None = Field(None, description="The champion's value of ``selectBy``; None where it cannot be scored on these rows.")
    versions: list[VersionScore] = Field(default_factory=list)
    cpu_seconds: float = 0.0


class PackageResult(Document):
    """The selected candidate, judged once on the holdout and packaged."""

    stage: Literal[Stage.PACKAGE] = Stage.PACKAGE
    problems: list[Problem] = Field(default_factory=list, description="Why nothing could be packaged, such as every trial having failed.")
    artifact: Artifact | None = None
    candidate: str | None = None
    estimator: str | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    engine: str = "scikit-learn"
    metrics: Metrics | None = None
    slices: list[SliceMetrics] = Field(
        default_factory=list,
        description="Groups with a missed criterion come first; cut where the message would be too long.",
    )
    comparison: Comparison | None = None
    window: Window = Window.ALL
    since: Time | None = None
    window_start: Time | None = None
    fitted_rows: int | None = None
    baseline: Estimate | None = None
    worth: Worth | None = None
    records: list[RecipeRecord] = Field(default_factory=list, description="The recipes that go on competing; the winner is the first.")
    fits: int = 0
    cpu_seconds: float = 0.0

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was made by."""
        return Recipe(candidate=self.candidate or "it", parameters=self.parameters, window=self.window, since=self.since)


class VerifyResult(Document):
    """The bundle fetched, loaded and checked as a server would; what its manifest says of itself."""

    stage: Literal[Stage.VERIFY] = Stage.VERIFY
    problems: list[Problem] = Field(default_factory=list, description="Empty where the bundle may be served.")
    estimator: str | None = None
    libraries: dict[str, str] = Field(default_factory=dict)
    engine: str = "scikit-learn"
    tolerance: float | None = None
    metrics: Metrics | None = None
    cpu_seconds: float = 0.0


StageResult = PrepareResult | TrialResult | ScoringResult | PackageResult | VerifyResult
"""A termination message; ``stage`` says which."""
