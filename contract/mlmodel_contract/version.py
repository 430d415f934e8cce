"""``ModelVersion``: what a run made, on which data, with which figures, and what was decided. Immutable but for its status.

Not here: how any of it is computed.
"""

from enum import StrEnum

from pydantic import Field

from .base import LONGEST_MESSAGE, Document, Time
from .manifest.training import Window
from .quality_metrics import Metric
from .report import LONGEST_GROUP

MOST_LIBRARIES = 32
"""Libraries that a version names."""

MOST_SLICES = 40
"""Groups of rows whose holdout metrics a version states."""


class Reason(StrEnum):
    """Why a run was started."""

    INITIAL = "Initial"
    SPEC_CHANGED = "SpecChanged"
    DRIFT = "Drift"
    PERFORMANCE = "Performance"
    NEW_ROWS = "NewRows"
    AGE = "Age"
    SOURCE = "Source"
    SCHEDULE = "Schedule"
    MANUAL = "Manual"
    RETRY = "Retry"


class Artifact(Document):
    """Where a bundle lies, and which one it is."""

    uri: str = Field(max_length=1024, description="Folder of the bundle.")
    digest: str = Field(max_length=71, description="sha256 of the bundle's manifest.json, which holds the sha256 of every file.")
    credentials: str | None = Field(
        None,
        max_length=253,
        description="Secret with the keys that the URI needs, where it is not the operator's store.",
    )


class DataLineage(Document):
    """The rows a version was made from."""

    digest: str = Field(max_length=71, description="sha256 of the cleaned rows.")
    train_rows: int = Field(ge=0, description="Rows before the holdout.")
    holdout_rows: int = Field(ge=0, description="Newest rows, which judged the run's recipes; then learnt from too, where refit is on.")
    captured_rows: int = Field(0, ge=0, description="How many of the rows are live rows whose label came back.")
    start: str | None = Field(None, max_length=40, description="Time of the oldest row.")
    end: str | None = Field(None, max_length=40, description="Time of the newest row.")


class Estimate(Document):
    """A metric's value on the holdout with its 95% interval from a block bootstrap."""

    value: float = Field(description="Value on all holdout rows.")
    low: float = Field(description="Lower end of the 95% interval.")
    high: float = Field(description="Upper end of the 95% interval.")


class Metrics(Document):
    """Holdout metrics by name, with intervals."""

    roc_auc: Estimate | None = Field(None, alias="roc_auc", description="Area under the ROC curve.")
    log_loss: Estimate | None = Field(None, alias="log_loss", description="Mean negative log likelihood, nats.")
    brier_score: Estimate | None = Field(None, alias="brier_score", description="Mean squared error of the probability.")
    accuracy: Estimate | None = Field(None, alias="accuracy", description="Share of right labels.")
    rmse: Estimate | None = Field(None, description="Root mean squared error, in the target's unit.")
    mae: Estimate | None = Field(None, description="Mean absolute error, in the target's unit.")
    r2: Estimate | None = Field(None, description="Share of the variance that is explained.")

    def get(self, metric: Metric) -> Estimate | None:
        """Return the estimate of the metric, None where it was not computed."""
        value = getattr(self, metric.value)
        return value if isinstance(value, Estimate) else None


class SliceMetrics(Document):
    """Metrics in one group of rows of the holdout."""

    column: str = Field(max_length=63, description="The column of the objective's slice.")
    value: str = Field(max_length=LONGEST_GROUP, description="The value that the group shares.")
    rows: int = Field(ge=0, description="Rows of the holdout in the group.")
    metrics: dict[Metric, float] = Field(max_length=7, description="The criteria's metrics in the group.")
    missed: list[Metric] = Field(
        default_factory=list, max_length=7, description="Criteria that the group is shown to miss, beyond chance in any group."
    )


class Comparison(Document):
    """Challenger minus champion on the same holdout rows: the paired difference of the metric that the model is selected by."""

    champion: str = Field(max_length=253, description="The version that was live.")
    metrics: Metrics = Field(description="The champion's metrics on the holdout.")
    difference: Estimate = Field(
        description="Difference of training.selectBy, with the sign that makes it a loss; below zero, the challenger is better."
    )
    same_recipe: bool = Field(False, description="Whether the challenger is the champion's own recipe, fitted anew on newer rows.")


class Recipe(Document):
    """How a model is made: a candidate, its parameters, and the rows that it is fitted on. Recipes compete, not single fits."""

    candidate: str = Field(max_length=63, description="Name of the candidate.")
    parameters: dict[str, str] = Field(default_factory=dict, max_length=64, description="Its parameters that are set, as JSON.")
    window: Window = Field(Window.ALL, description="The rows that it is fitted on.")
    since: Time | None = Field(None, description="SinceChange: when that change was; others are of other recipes.")

    def __str__(self) -> str:
        set_to = ", ".join(f"{name}={value}" for name, value in sorted(self.parameters.items()))
        return f"{self.candidate}({set_to}) on {f'rows since {self.since}' if self.since else f'{self.window} rows'}"


STANDARD_ERRORS_TO_LEAD = 1.0
"""By how many standard errors another recipe has to be better, so that the luckiest of many is not taken for the best."""


STANDARD_ERRORS_SINCE_CHANGE = 2.0
"""By how many, after a change, what knows the new world has to be better: a recipe on its rows, which are few at first, or an
earlier version."""


COMPARISON_HALF_LIFE = 8.0
"""Runs after which a comparison of recipes counts half: what was better last year says little of the world of today."""


ROWS_ON_FOLDS = 1.0
"""Rows that what the folds of a first run said counts as, so that the first comparison on later rows replaces it."""


class RecipeRecord(Document):
    """What a recipe's fits said of rows that came later, beside the leading recipe's on the same rows; older runs count less."""

    recipe: Recipe = Field(description="The recipe.")
    difference: float = Field(0.0, description="Mean difference from the leading recipe, as a loss; below zero, this one is better.")
    variance: float = Field(0.0, ge=0, description="Variance of that mean.")
    rows: float = Field(0.0, ge=0, description="Rows that it was compared on, older ones discounted; 0 where it was not compared yet.")
    run: int = Field(0, ge=0, description="The run that compared it last; 0 where none did.")


class VersionScore(Document):
    """An accepted version on the labelled rows that are new since the last run, beside the champion on the same rows."""

    version: str = Field(max_length=253, description="Name of the ModelVersion.")
    value: float = Field(description="The metric of training.selectBy.")
    difference: float = Field(description="Mean difference from the champion, as a loss; below zero, this version is better.")
    variance: float = Field(ge=0, description="Variance of that mean.")
    rows: int = Field(ge=0, description="Rows.")
    worth: float | None = Field(None, description="Mean worth of a prediction beyond the champion's, where objective.value is given.")


class Worth(Document):
    """What predictions on the holdout were worth, by ``objective.value``, for each prediction."""

    version: float = Field(description="Of the version.")
    champion: float | None = Field(None, description="Of the champion on the same rows.")
    baseline: float = Field(description="Of the baseline on the same rows.")
    currency: str = Field("", max_length=8, description="What amounts are in.")


class Verdict(StrEnum):
    """What was decided about a version before it served."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"


class VersionVerdict(Document):
    """What was decided about a version, and on which figures."""

    verdict: Verdict = Field(description="Accepted or Rejected.")
    reason: str = Field(
        max_length=64,
        description="One word. Accepted: CriteriaMet, Fresher, BetterThanChampion, BetterRecipe, BestThereIs. Rejected: "
        "BaselineNotBeaten, CriterionMissed, SliceMissed, ChampionBetter, NotVerified.",
    )
    message: str = Field(max_length=LONGEST_MESSAGE, description="The sentence with the figures.")
    otherwise: str | None = Field(None, max_length=LONGEST_MESSAGE, description="Which figures would have made it another one.")


class ModelVersionSpec(Document):
    """A version's whole lineage."""

    model: str = Field(max_length=253, description="Name of the MLModel.")
    run: int = Field(ge=1, description="Number of the run that made it.")
    reason: Reason = Field(description="Why the run was started.")
    spec_digest: str | None = Field(
        None,
        max_length=64,
        description="Digest of the parts of the MLModel's spec that it learnt from; a version of other parts is no champion.",
    )
    artifact: Artifact = Field(description="The bundle.")
    data: DataLineage | None = Field(None, description="The rows it was made from; absent for a model trained elsewhere.")
    candidate: str | None = Field(None, max_length=63, description="Name of the winning candidate.")
    window: Window | None = Field(None, description="The rows that it was fitted on; absent for a model trained elsewhere.")
    since: Time | None = Field(None, description="Where that is SinceChange: when that change was.")
    window_start: Time | None = Field(None, description="Time of the oldest row that it was fitted on, where rows have a time.")
    fitted_rows: int | None = Field(None, ge=0, description="Rows that it was fitted on.")
    estimator: str | None = Field(None, max_length=253, description="scikit-learn class of the model.")
    parameters: dict[str, str] = Field(
        default_factory=dict, max_length=64, description="The estimator's parameters that were set, as JSON."
    )
    libraries: dict[str, str] = Field(
        default_factory=dict, max_length=MOST_LIBRARIES, description="Versions of the libraries that made the bundle."
    )
    engine: str = Field(
        "scikit-learn",
        max_length=32,
        description="What computes predictions: onnxruntime where agreement was proven, else scikit-learn.",
    )
    tolerance: float | None = Field(
        None,
        ge=0,
        description="Largest difference from scikit-learn's own prediction that the engine was proven to keep: of a probability, or in the "
        "target's unit.",
    )
    metrics: Metrics | None = Field(None, description="Metrics on the holdout.")
    slices: list[SliceMetrics] = Field(default_factory=list, max_length=MOST_SLICES, description="Metrics by the objective's slices.")
    baseline: Estimate | None = Field(
        None, description="Difference from the baseline (the classes' shares, or the mean) on the holdout, as a loss; below zero is better."
    )
    worth: Worth | None = Field(None, description="What its predictions were worth on the holdout, where objective.value is given.")
    fits: int = Field(0, ge=0, description="Fits of estimators that its run took.")
    cpu_seconds: float = Field(0.0, ge=0, description="Seconds of a processor that its run used.")
    comparison: Comparison | None = Field(None, description="Beside the champion; absent where no version was live that predicts the same.")
    decision: VersionVerdict = Field(description="What was decided, and on which figures.")

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that it was made by; None of one that was trained elsewhere, or by an earlier operator."""
        if self.candidate is None or self.window is None:
            return None
        return Recipe(candidate=self.candidate, parameters=self.parameters, window=self.window, since=self.since)
