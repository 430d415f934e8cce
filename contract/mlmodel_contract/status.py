"""``MLModel.status`` and ``ModelVersion.status``: what the operator found and decided, for people and for its own next reconciliation.

Not here: how it is decided.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from .base import LONGEST_MESSAGE, Document, Time
from .quality_metrics import Metric
from .report import LONGEST_GROUP, MOST_GROUPS
from .run import Competition, Quarantine, Stage
from .version import DataLineage, Reason, RecipeRecord

MOST_DRAINING = 10
"""Replaced versions whose pods still run; where more are replaced within their drain, the one that has drained longest goes."""

MOST_DRIFTED_FEATURES = 20
"""Drifted features that a status names."""

MOST_FEED_PROBLEMS = 20
"""Problems of the feed that a status names."""

HarmState = Literal["None", "Confirmed", "Unknown"]
FeedState = Literal["Healthy", "Broken", "Unknown"]
FeedProblemKind = Literal["Missing", "Unseen", "OutOfRange", "Constant"]


class Condition(Document):
    """A condition as Kubernetes writes it."""

    type: str = Field(max_length=64, description="Name of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(max_length=64, description="One CamelCase word why.")
    message: str = Field("", max_length=2048, description="The sentence for people.")
    last_transition_time: Time = Field(description="When the status last changed.")
    observed_generation: int = Field(0, ge=0, description="The spec's generation that this was found for.")


class Phase(StrEnum):
    """Where a version is in its life."""

    REJECTED = "Rejected"
    CANDIDATE = "Candidate"
    LIVE = "Live"
    DRAINING = "Draining"
    RETIRED = "Retired"
    FAILED = "Failed"


class LiveVersion(Document):
    """The version that has the traffic."""

    version: str = Field(max_length=253, description="Name of the ModelVersion.")
    since: Time = Field(description="Since when.")
    ready_replicas: int = Field(0, ge=0, description="Its ready pods.")


class CandidateVersion(Document):
    """The accepted version whose pods are getting ready."""

    version: str = Field(max_length=253, description="Name of the ModelVersion.")
    since: Time = Field(description="Since when.")
    ready_replicas: int = Field(0, ge=0, description="Its ready pods.")


class DrainingVersion(Document):
    """The replaced version whose pods still finish what they have."""

    version: str = Field(max_length=253, description="Name of the ModelVersion.")
    until: Time = Field(description="When its pods are told to end.")


class RunStatus(Document):
    """The run under way, or the last one."""

    number: int = Field(ge=1, description="Number of the run; it makes the version of this number.")
    reason: Reason = Field(description="Why it was started.")
    message: str = Field("", max_length=LONGEST_MESSAGE, description="On which figures it was started.")
    spec_digest: str = Field("", max_length=64, description="Digest of the parts of the spec that it learns from.")
    stage: Stage = Field(description="The stage it is in.")
    state: Literal["Running", "Succeeded", "ChampionKept", "Returned", "Unchanged", "Rejected", "DataInvalid", "Failed", "Cancelled"] = (
        Field(description="How it goes or went. ChampionKept, Returned (to an earlier version) and Unchanged (no new rows) are good ends.")
    )
    started: Time = Field(description="When it was started.")
    finished: Time | None = Field(None, description="When it ended.")
    progress: str = Field("", max_length=LONGEST_MESSAGE, description="How far it is, or why it failed: reason and last line of the log.")
    data: DataLineage | None = Field(None, description="The rows it learns from, once they are checked.")
    champion: str | None = Field(None, max_length=253, description="The version it has to beat.")
    competition: Competition | None = Field(None, description="What it compares.")
    fits: int = Field(0, ge=0, description="Fits of estimators so far.")
    cpu_seconds: float = Field(0.0, ge=0, description="Seconds of a processor so far.")


class CriterionStatus(Document):
    """A criterion and its live value on labelled predictions."""

    metric: Metric = Field(description="The metric.")
    bound: str = Field(max_length=40, description="The criterion, such as '>= 0.7'.")
    value: float | None = Field(None, description="Value on the live version's labelled predictions; absent without labels.")
    low: float | None = Field(
        None, description="Lower end of the 95% confidence sequence of the live value; r2, and an area of few labels, have none."
    )
    high: float | None = Field(None, description="Its upper end.")
    holdout: float | None = Field(None, description="Value on the holdout.")
    met: bool | None = Field(
        None,
        description="Whether the live value, or without labels the holdout's, keeps the bound; in a slice only where the whole confidence "
        "sequence does, or none of it.",
    )
    summary: str = Field("", max_length=64, description="For the printer column.")


class SliceStatus(Document):
    """The criteria in one group of the live version's labelled predictions."""

    column: str = Field(max_length=63, description="The column of the objective's slice.")
    value: str = Field(max_length=LONGEST_GROUP, description="The value that the group shares.")
    labels: int = Field(ge=0, description="Labelled predictions of the group.")
    criteria: list[CriterionStatus] = Field(default_factory=list, max_length=7, description="The criteria and their live values in it.")


class DriftedFeature(Document):
    """A feature whose live rows differ from the training rows."""

    name: str = Field(max_length=63, description="The feature.")
    evidence: float = Field(description="Natural logarithm of its e-value, at its highest: the evidence that this feature changed.")
    size: float = Field(0.0, ge=0, description="How large the change is, in standard deviations of the training rows.")
    change: str = Field("", max_length=128, description="What changed: location, spread, the share of a slot, or a correlation.")
    since: Time | None = Field(None, description="When the change began, as far as the reports tell.")


class DriftStatus(Document):
    """What monitoring says of the live version."""

    state: Literal["None", "Suspected", "Confirmed"] = Field("None", description="Whether the inputs or predictions drifted.")
    harm: HarmState = Field("Unknown", description="Whether the loss of labelled predictions rose; Unknown: too few labels.")
    message: str = Field("", max_length=LONGEST_MESSAGE, description="The verdict in a sentence.")
    since: Time | None = Field(None, description="When the drift was confirmed.")
    evidence: float = Field(0.0, description="Natural logarithm of the evidence that anything changed, at its highest.")
    severe: bool = Field(False, description="Whether a feature changed by half a standard deviation or more.")
    rows: int = Field(0, ge=0, description="Live rows counted, since the version started or its feed was last mended.")
    due: int = Field(0, ge=0, description="Live rows whose label should be back by now.")
    missed: int = Field(0, ge=0, description="Live rows that were served but never counted: a sidecar lagged or was dead.")
    labels: int = Field(0, ge=0, description="Labelled predictions counted.")
    loss: float | None = Field(None, description="Mean live loss, by training.selectBy.")
    loss_bound: float | None = Field(
        None, description="Lower confidence bound of the live loss; harm is confirmed when it exceeds the reference."
    )
    loss_reference: float | None = Field(None, description="Upper confidence bound of the holdout's loss.")
    features: list[DriftedFeature] = Field(
        default_factory=list, max_length=MOST_DRIFTED_FEATURES, description="Drifted features, strongest first."
    )


class FeedProblem(Document):
    """A feature whose live values show that what feeds it is broken."""

    name: str = Field(max_length=63, description="The column.")
    problem: FeedProblemKind = Field(
        description="Values are missing, are categories that training rows lack, lie outside min and max, or are all the same."
    )
    share: float = Field(ge=0, le=1, description="Share of the latest rows that have it.")
    usual: float = Field(ge=0, le=1, description="Share of the training rows that have it.")


class FeedStatus(Document):
    """Whether what live rows are fed from works; while it does not, nothing is learned from them."""

    state: FeedState = Field("Unknown", description="Unknown: too few rows so far.")
    message: str = Field("", max_length=LONGEST_MESSAGE, description="What is wrong, in a sentence.")
    since: Time | None = Field(None, description="Last time before which rows were still as they should be.")
    problems: list[FeedProblem] = Field(default_factory=list, max_length=MOST_FEED_PROBLEMS, description="What is wrong, column by column.")


class LoggedDecision(Document):
    """One decision of the operator."""

    time: Time = Field(description="When.")
    decision: str = Field(
        max_length=64,
        description="One word: RunStarted, SinglePodDied, RunFailed, RunCancelled, DataInvalid, Rejected, ChampionKept, Unchanged, "
        "Accepted, Returned, Superseded, Promoted, RolloutFailed, RollbackStarted, RollbackRefused, FeedBroken, FeedMended.",
    )
    version: str | None = Field(None, max_length=253, description="The version it is about.")
    run: int | None = Field(None, ge=1, description="The run that it belongs to.")
    message: str = Field(max_length=LONGEST_MESSAGE, description="Why, with the figures.")
    otherwise: str | None = Field(None, max_length=LONGEST_MESSAGE, description="Which figures would have made it another one.")


class RunCost(Document):
    """What a run cost."""

    time: Time = Field(description="When it began.")
    cpu_seconds: float = Field(0.0, ge=0, description="Seconds of a processor that it used.")


class VersionRecord(Document):
    """What is known of an earlier version beside the live one, on labelled rows that came since the live one is there."""

    version: str = Field(max_length=253, description="Name of the ModelVersion.")
    difference: float = Field(0.0, description="Sum of the differences from the live version, as a loss; below zero, this one is better.")
    variance: float = Field(0.0, ge=0, description="Variance of that sum.")
    rows: int = Field(0, ge=0, description="Rows that both were scored on, since this one last was not better.")
    evidence: float = Field(0.0, description="Natural logarithm of the e-value that this version is better.")
    needed: float | None = Field(None, description="The evidence from which it serves again.")


class LossPoint(Document):
    """How many labels there were at a time, and the sum of their loss."""

    time: Time = Field(description="When.")
    labels: int = Field(ge=0, description="Labelled predictions of the live version until then.")
    loss: float = Field(description="Sum of their loss.")


class ExpectedRun(Document):
    """A run that may come next. It holds what is waited for and not how far that is, so that it seldom changes."""

    reason: Reason = Field(description="The reason that the run would have.")
    message: str = Field(max_length=LONGEST_MESSAGE, description="What it waits for.")
    labels: int | None = Field(None, ge=0, description="Labelled predictions of all versions from which it is due.")
    time: Time | None = Field(None, description="When it is due; a time that has passed waits for what holds runs back.")


class RetrainingStatus(Document):
    """Memory that retraining needs."""

    failed_in_a_row: int = Field(0, ge=0, description="Runs that crashed, or whose version did not start, since one ended well.")
    fruitless_in_a_row: int = Field(0, ge=0, description="Runs in a row that changed nothing that serves.")
    due_rows: int | None = Field(
        None, ge=1, description="New labelled rows that the trigger NewRows waits for: fewer where runs bring much, more where they do not."
    )
    labels: int = Field(0, ge=0, description="Labelled predictions of all versions when the last run began.")
    newest_row: Time | None = Field(None, max_length=40, description="Time of the newest row that a run has seen.")
    rows_read: int = Field(0, ge=0, description="Rows that the last run has seen.")
    first_rows: int = Field(0, ge=0, description="Rows that the first run of this spec has seen: the scale of what is waited for.")
    recipes: list[RecipeRecord] = Field(default_factory=list, max_length=24, description="Recipes that compete; the leading one first.")
    versions: list[VersionRecord] = Field(
        default_factory=list, max_length=16, description="Earlier versions beside the live one, on rows that none of them learnt from."
    )
    losses: list[LossPoint] = Field(
        default_factory=list, max_length=32, description="The live version's loss so far, at a few times: shows when it changed."
    )
    costs: list[RunCost] = Field(default_factory=list, max_length=200, description="Runs of the last seven days.")
    change: Time | None = Field(None, description="When the world is known to have changed last.")
    change_labels: int = Field(0, ge=0, description="Labelled predictions of all versions until then.")
    before_changes: list[str] = Field(
        default_factory=list, max_length=8, description="Versions that served when the world changed, the last one last."
    )
    source_checked: Time | None = Field(None, description="When a run last read the sources.")
    not_before: Time | None = Field(None, description="No run that nobody asked for starts before this time.")
    budget_free: Time | None = Field(None, description="When the week's budget allows the next run; absent where it does now.")
    next: list[ExpectedRun] = Field(default_factory=list, max_length=8, description="The runs that may come next, by trigger.")
    last_scheduled: Time | None = Field(None, description="The schedule's last time that was acted on.")
    handled_retrain: str | None = Field(None, max_length=253, description="Value of the annotation mlmodel.dev/retrain that was acted on.")
    handled_rollback: str | None = Field(
        None, max_length=300, description="Value of the annotation mlmodel.dev/rollback-to that was acted on."
    )


class MLModelStatus(Document):
    """What the operator found and decided."""

    observed_generation: int = Field(0, ge=0, description="The spec's generation that the operator acted on.")
    conditions: list[Condition] = Field(
        default_factory=list,
        description="Ready, Serving, DataValid, ObjectiveMet, Progressing, DriftDetected, FeedHealthy, RetrainingPaused.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    live: LiveVersion | None = Field(None, description="The version that has the traffic.")
    candidate: CandidateVersion | None = Field(None, description="The accepted version whose pods are getting ready.")
    draining: list[DrainingVersion] = Field(
        default_factory=list, max_length=MOST_DRAINING, description="Replaced versions whose pods still run."
    )
    run: RunStatus | None = Field(None, description="The run under way, or the last one.")
    objective: list[CriterionStatus] = Field(default_factory=list, max_length=7, description="The criteria and their live values.")
    slices: list[SliceStatus] = Field(
        default_factory=list,
        max_length=MOST_GROUPS,
        description="The same in the groups of the objective's slices that have enough labels.",
    )
    drift: DriftStatus | None = Field(None, description="What monitoring says of the live version.")
    feed: FeedStatus | None = Field(None, description="Whether what the live version's rows are fed from works.")
    quarantine: list[Quarantine] = Field(
        default_factory=list, max_length=20, description="The last 20 times whose live rows are not learned from, newest last."
    )
    retraining: RetrainingStatus = Field(default_factory=RetrainingStatus, description="Memory that retraining needs.")
    decisions: list[LoggedDecision] = Field(default_factory=list, max_length=20, description="The last 20 decisions, newest last.")
    replicas: int = Field(0, ge=0, description="Pods of the live version, for the scale subresource.")
    selector: str = Field("", max_length=500, description="Label selector of the live version's pods, for the scale subresource.")


class ModelVersionStatus(Document):
    """A version's life after it was made."""

    phase: Phase | None = Field(None, description="Where it is in its life.")
    since: Time | None = Field(None, description="Since when it is in this phase.")
    message: str = Field("", max_length=LONGEST_MESSAGE, description="Why it is in this phase.")
    evidence: str | None = Field(None, max_length=1_000_000, description="The monitoring evidence so far, packed; the operator's memory.")
    drift: DriftStatus | None = Field(None, description="What monitoring says, or said last, of this version.")
    feed: FeedStatus | None = Field(None, description="Whether what its rows are fed from works, or did last.")
