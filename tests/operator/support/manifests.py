"""A small model's manifest, and the results that its trainer pods leave, with figures that a test may set.

Not here: where they are stored (``in_memory_api.py``) and what is done with them (``model_lifecycle.py``).
"""

from collections.abc import Sequence
from typing import Any

from mlmodel_contract.manifest import Window
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import PackageResult, PrepareResult, Problem, ScoringResult, Stage, TrialResult, VerifyResult
from mlmodel_contract.version import (
    Artifact,
    Comparison,
    DataLineage,
    Estimate,
    Metrics,
    Recipe,
    RecipeRecord,
    SliceMetrics,
    VersionScore,
)

Body = dict[str, Any]

NAMESPACE, NAME = "team", "late"
DIGEST = "sha256:" + "ab" * 32
KEEP_LIVE: Body = {"criteria": [{"metric": "roc_auc", "min": 0.7}], "onMiss": "KeepLive"}
"""The objective of ``spec``, by which a version that misses its criterion is refused."""


def spec(**changes: Any) -> Body:
    """A whole ``MLModel.spec`` as JSON; ``changes`` replace or, with None, remove top-level parts."""
    whole: Body = {
        "objective": {"criteria": [{"metric": "roc_auc", "min": 0.7}]},
        "data": {
            "sources": [{"uri": "s3://airline/flights/*.parquet"}],
            "target": "late",
            "time": "departure",
            "columns": [
                {"name": "departure", "type": "time"},
                {"name": "distance", "type": "number", "min": 0},
                {"name": "carrier", "type": "category"},
                {"name": "late", "type": "boolean"},
            ],
        },
        "training": {"task": "Classification", "trials": 2},
        "retraining": {"cooldown": "1h"},
    }
    return {part: value for part, value in (whole | changes).items() if value is not None}


def imported() -> Body:
    """The spec of a model that was trained elsewhere."""
    return spec(data=None, training=None, model={"uri": "s3://elsewhere/bundle", "digest": DIGEST})


def model(parts: Body, *, name: str = NAME, annotations: dict[str, str] | None = None) -> Body:
    """An MLModel as a user applies it."""
    metadata: Body = {"name": name, "namespace": NAMESPACE}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "mlmodel.dev/v1alpha1", "kind": "MLModel", "metadata": metadata, "spec": parts}


def about(value: float) -> Estimate:
    """An estimate with a narrow interval."""
    return Estimate(value=value, low=value - 0.01, high=value + 0.01)


def prepared(*problems: str, rows: int = 1000, new: int = 0, end: str = "2024-03-31T00:00:00Z") -> PrepareResult:
    """The data check's result: so many rows until a time, of which so many are new; or refused with these checks."""
    if problems:
        return PrepareResult(problems=[Problem(check=check, message=f"{check}: look at data.sources") for check in problems])
    judging = new or rows // 5
    lineage = DataLineage(digest=DIGEST, train_rows=rows - judging, holdout_rows=judging, start="2024-01-01T00:00:00Z", end=end)
    return PrepareResult(lineage=lineage, new_rows=new)


def trial(index: int, score: float | None = None) -> TrialResult:
    """One trial's result."""
    return TrialResult(index=index, candidate="linear" if index % 2 == 0 else "boosted", score=score or 0.7 + index / 100)


def scored(champion: float | None = 0.5, *versions: VersionScore) -> ScoringResult:
    """What the champion and earlier versions are on the new rows."""
    return ScoringResult(champion=champion, versions=list(versions))


def recipe(candidate: str = "boosted", window: Window = Window.ALL) -> Recipe:
    """A recipe with the parameters of ``packaged``, where it is boosted."""
    return Recipe(candidate=candidate, parameters={"learning_rate": "0.1"} if candidate == "boosted" else {}, window=window)


def records(*recipes: Recipe) -> list[RecipeRecord]:
    """Recipes that were compared by the first run, the leading one first; all windows of both candidates by default."""
    named = [recipe(candidate, window) for window in (Window.ALL, Window.RECENT) for candidate in ("boosted", "linear")]
    return [RecipeRecord(recipe=one, run=1) for one in recipes or named]


def packaged(
    run: int = 1,
    roc_auc: float = 0.8,
    *,
    against: str | None = None,
    difference: tuple[float, float, float] = (-0.05, -0.08, -0.02),
    champion_roc_auc: float = 0.75,
    slices: Sequence[SliceMetrics] = (),
    same_recipe: bool = False,
    baseline: float | None = -0.1,
    made_by: Recipe | None = None,
    competing: Sequence[RecipeRecord] = (),
) -> PackageResult:
    """The packaged winner with its figures, and beside the champion ``against`` the difference of the loss (value, low, high)."""
    value, low, high = difference
    winner = made_by or recipe()
    comparison = Comparison(
        champion=against or "",
        metrics=Metrics(roc_auc=about(champion_roc_auc)),
        difference=Estimate(value=value, low=low, high=high),
        same_recipe=same_recipe,
    )
    return PackageResult(
        artifact=Artifact(uri=f"pvc://{NAME}-store/versions/{NAME}-v{run}", digest=DIGEST),
        candidate=winner.candidate,
        estimator="sklearn.ensemble.HistGradientBoostingClassifier",
        parameters=winner.parameters,
        window=winner.window,
        since=winner.since,
        libraries={"scikit-learn": "1.7.0"},
        engine="onnxruntime",
        metrics=Metrics(roc_auc=about(roc_auc)),
        slices=list(slices),
        comparison=comparison if against else None,
        baseline=about(baseline) if baseline is not None else None,
        records=list(competing),
    )


def group(column: str, value: str, rows: int, roc_auc: float, *, missed: bool = False) -> SliceMetrics:
    """The figures in one group of the holdout, and whether it is shown to miss the criterion."""
    return SliceMetrics(column=column, value=value, rows=rows, metrics={Metric.ROC_AUC: roc_auc}, missed=[Metric.ROC_AUC] if missed else [])


def verified(*problems: str, roc_auc: float | None = None) -> VerifyResult:
    """The bundle's own check: fine, or refused with these checks; an import tells its figures here."""
    return VerifyResult(
        problems=[Problem(check=check, message=f"{check}: pack the bundle again") for check in problems],
        engine="onnxruntime",
        tolerance=1e-9,
        metrics=Metrics(roc_auc=about(roc_auc)) if roc_auc is not None else None,
    )


def fine(stage: Stage, run: int, against: str | None) -> list[str]:
    """The messages that the pods of a stage leave when all goes well, by index."""
    if stage is Stage.TRAIN:
        return [trial(0).model_dump_json(by_alias=True), trial(1).model_dump_json(by_alias=True)]
    made = {Stage.PREPARE: prepared(), Stage.PACKAGE: packaged(run, against=against), Stage.VERIFY: verified(roc_auc=0.8)}
    return [made[stage].model_dump_json(by_alias=True)]
