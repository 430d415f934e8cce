"""``spec.training``: which models are tried, and how they are compared.

Not here: fitting anything.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from ..base import Document, Duration
from ..quality_metrics import Metric, Task
from .rules import ComputeResources, Rule, cel, map_list


class Estimator(StrEnum):
    """The scikit-learn estimators that can be trained, stored without pickle, and served."""

    LOGISTIC_REGRESSION = "sklearn.linear_model.LogisticRegression"
    SGD_CLASSIFIER = "sklearn.linear_model.SGDClassifier"
    DECISION_TREE_CLASSIFIER = "sklearn.tree.DecisionTreeClassifier"
    RANDOM_FOREST_CLASSIFIER = "sklearn.ensemble.RandomForestClassifier"
    EXTRA_TREES_CLASSIFIER = "sklearn.ensemble.ExtraTreesClassifier"
    GRADIENT_BOOSTING_CLASSIFIER = "sklearn.ensemble.GradientBoostingClassifier"
    HIST_GRADIENT_BOOSTING_CLASSIFIER = "sklearn.ensemble.HistGradientBoostingClassifier"
    K_NEIGHBORS_CLASSIFIER = "sklearn.neighbors.KNeighborsClassifier"
    GAUSSIAN_NB = "sklearn.naive_bayes.GaussianNB"
    DUMMY_CLASSIFIER = "sklearn.dummy.DummyClassifier"
    LINEAR_REGRESSION = "sklearn.linear_model.LinearRegression"
    RIDGE = "sklearn.linear_model.Ridge"
    ELASTIC_NET = "sklearn.linear_model.ElasticNet"
    DECISION_TREE_REGRESSOR = "sklearn.tree.DecisionTreeRegressor"
    RANDOM_FOREST_REGRESSOR = "sklearn.ensemble.RandomForestRegressor"
    EXTRA_TREES_REGRESSOR = "sklearn.ensemble.ExtraTreesRegressor"
    GRADIENT_BOOSTING_REGRESSOR = "sklearn.ensemble.GradientBoostingRegressor"
    HIST_GRADIENT_BOOSTING_REGRESSOR = "sklearn.ensemble.HistGradientBoostingRegressor"
    K_NEIGHBORS_REGRESSOR = "sklearn.neighbors.KNeighborsRegressor"
    DUMMY_REGRESSOR = "sklearn.dummy.DummyRegressor"

    @property
    def task(self) -> Task:
        """The task that the estimator is for."""
        regressors = (Estimator.LINEAR_REGRESSION, Estimator.RIDGE, Estimator.ELASTIC_NET)
        return Task.REGRESSION if self in regressors or self.endswith("Regressor") else Task.CLASSIFICATION


Scalar = str | bool | int | float | None


class Search(Document):
    """Values that trials draw one parameter from: exactly one of choice, uniform, logUniform and integer."""

    # By the number of properties, because CEL does not see choice, whose items may have any type.
    model_config = {
        "json_schema_extra": {"minProperties": 1, "maxProperties": 1}
        | cel(
            Rule("!has(self.uniform) || self.uniform[0] < self.uniform[1]", "uniform needs [low, high] with low < high"),
            Rule(
                "!has(self.logUniform) || (0.0 < self.logUniform[0] && self.logUniform[0] < self.logUniform[1])",
                "logUniform needs [low, high] with 0 < low < high",
            ),
            Rule("!has(self.integer) || self.integer[0] < self.integer[1]", "integer needs [low, high] with low < high"),
        )
    }

    choice: list[Scalar] | None = Field(None, min_length=1, max_length=50, description="One of these values, each as likely.")
    uniform: list[float] | None = Field(None, min_length=2, max_length=2, description="A number between [low, high], each as likely.")
    log_uniform: list[float] | None = Field(
        None, min_length=2, max_length=2, description="A number between [low, high] whose logarithm is uniform."
    )
    integer: list[int] | None = Field(None, min_length=2, max_length=2, description="A whole number of [low, high], both ends included.")


class Candidate(Document):
    """One kind of model to try."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40, description="Name of the candidate in reports.")
    estimator: Estimator = Field(description="The scikit-learn class.")
    parameters: dict[str, Scalar] = Field(default_factory=dict, max_length=32, description="Fixed constructor parameters.")
    search: dict[str, Search] = Field(
        default_factory=dict,
        max_length=16,
        description="Parameters to tune, by name; the first trial takes scikit-learn's defaults.",
    )


class Window(StrEnum):
    """Which of the rows a recipe is fitted on; the newest row is always in it."""

    ALL = "All"
    RECENT = "Recent"
    SINCE_CHANGE = "SinceChange"


def default_windows() -> list[Literal["All", "Recent"]]:
    """Return the windows that compete by default."""
    return ["All", "Recent"]


class Validation(Document):
    """How candidates are compared: folds and holdout follow time where the data has it."""

    folds: int = Field(
        3, ge=2, le=10, description="Folds for comparing the first run's trials: each trains on the past and scores the rows after it."
    )
    holdout: float = Field(
        0.2,
        gt=0,
        lt=0.9,
        description="The newest share of rows that judges a first version; later ones are judged on what is new since the last run.",
    )
    refit: bool = Field(
        True,
        description="Fit the winner once more on all rows, those that judged it included, before it serves; false serves the fit that was "
        "judged.",
    )


class Training(Document):
    """Development: candidates are trained, compared and tuned."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "self.task != 'Regression' || !has(self.selectBy) || self.selectBy in ['rmse', 'mae', 'r2']",
                "training.selectBy of a Regression is one of rmse, mae, r2",
            ),
            Rule(
                "self.task != 'Classification' || !has(self.selectBy) || !(self.selectBy in ['rmse', 'mae', 'r2'])",
                "training.selectBy of a Classification is one of roc_auc, log_loss, brier_score, accuracy",
            ),
            Rule(
                "!has(self.candidates) || self.candidates.all(c, (self.task == 'Regression') == (c.estimator.endsWith('Regressor') || "
                "c.estimator in ['sklearn.linear_model.LinearRegression', 'sklearn.linear_model.Ridge', "
                "'sklearn.linear_model.ElasticNet']))",
                "training.candidates: each estimator must fit training.task: a classifier for Classification, a regressor for Regression",
            ),
        )
    }

    task: Task = Field(description="Classification or Regression.")
    candidates: list[Candidate] = Field(
        default_factory=list,
        max_length=16,
        description="Models to try; a linear and a boosted one by default.",
        json_schema_extra=map_list("name"),
    )
    trials: int = Field(
        4,
        ge=1,
        le=200,
        description="How many candidates with parameters the first run tries; they take turns over the candidates. The best of each "
        "candidate go on competing in later runs.",
    )
    parallelism: int = Field(1, ge=1, le=50, description="How many trials run at once, each in a pod.")
    select_by: Metric | None = Field(
        None,
        description="The metric that recipes and versions are compared by, and that harm is judged by; log_loss or rmse by default.",
    )
    windows: list[Literal["All", "Recent"]] = Field(
        default_factory=default_windows,
        min_length=1,
        max_length=2,
        description="Rows that candidates are fitted on, which compete too: All, and Recent, the newest quarter. From a known change on "
        "the rows since then compete in any case.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    validation: Validation = Field(default_factory=Validation, description="How candidates are compared.")
    retries: int = Field(2, ge=0, le=10, description="How often a trainer pod that died is tried again, with growing pauses.")
    timeout: Duration = Field(
        "1h", description="The longest that one trainer pod may take: one trial, or another stage of a run; then it is tried again."
    )
    resources: ComputeResources = Field(
        default_factory=lambda: ComputeResources(requests={"cpu": "250m", "memory": "512Mi"}, limits={"memory": "2Gi"}),
        description="Resources of each trainer pod.",
    )

    @property
    def metric(self) -> Metric:
        """The metric that recipes and versions are compared by."""
        return self.select_by or (Metric.RMSE if self.task is Task.REGRESSION else Metric.LOG_LOSS)

    @property
    def tried(self) -> list[Candidate]:
        """The declared candidates, or the default pair for the task."""
        if self.candidates:
            return self.candidates
        linear, boosted = (
            (Estimator.LOGISTIC_REGRESSION, Estimator.HIST_GRADIENT_BOOSTING_CLASSIFIER)
            if self.task is Task.CLASSIFICATION
            else (Estimator.RIDGE, Estimator.HIST_GRADIENT_BOOSTING_REGRESSOR)
        )
        strength = (
            {"C": Search(log_uniform=[0.01, 100])} if self.task is Task.CLASSIFICATION else {"alpha": Search(log_uniform=[0.01, 100])}
        )
        return [
            Candidate(name="linear", estimator=linear, search=strength),
            Candidate(
                name="boosted",
                estimator=boosted,
                search={
                    "learning_rate": Search(log_uniform=[0.03, 0.3]),
                    "max_leaf_nodes": Search(choice=[15, 31, 63]),
                },
            ),
        ]
