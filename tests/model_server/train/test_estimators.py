"""Every classifier and regressor of scikit-learn is a candidate of the manifest, or docs/serving-exactness.md says why not.

Write that list anew with ``UPDATE_DOCS=1 uv run pytest tests/model_server/train/test_estimators.py`` and read the difference.
"""

import os
import textwrap
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from mlmodel_contract.manifest import Candidate, Estimator
from model_server.bundle.errors import BundleRefused
from model_server.bundle.trusted import check_types
from pydantic import ValidationError
from sklearn.base import is_classifier
from sklearn.utils import all_estimators

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[3] / "docs/serving-exactness.md"
BEGIN, END = "<!-- estimators: written by tests/model_server/train/test_estimators.py -->\n", "<!-- end of estimators -->"

SERVED = "candidates of a manifest"
NESTED = "not supported: made of other estimators, while a manifest's parameters are numbers, text and booleans"
SEVERAL = "not supported: for several targets at once, while a manifest has one"
SINGLE = "not supported: for one feature alone"
UNSURE = "not supported: gives no probabilities, which criteria and monitoring need"
FORBIDDEN = "not supported: its fitted form holds types that are not on the operator's list of what may be loaded"
IMPORTED = "not candidates, but a bundle made elsewhere that holds one is served (`spec.model`)"


@cache
def classes() -> dict[str, Any]:
    return dict(all_estimators(type_filter=["classifier", "regressor"]))


@cache
def standing(name: str, folder: Path) -> str:
    """Tell whether an estimator can be a candidate, or why not."""
    if any(name == estimator.rsplit(".", 1)[-1] for estimator in Estimator):
        return SERVED
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = classes()[name]()
        tags = estimator.__sklearn_tags__().target_tags
    except (TypeError, AttributeError):  # without the estimators that it is made of it cannot be, or not say what it is for
        return NESTED
    if (tags.multi_output and not tags.single_output) or name in ("CCA", "PLSCanonical"):  # by default, these want two targets at least
        return SEVERAL
    return _fitted(name, estimator, folder)


def _fitted(name: str, estimator: Any, folder: Path) -> str:
    random = np.random.default_rng(0)
    matrix = random.integers(0, 3, (40, 1 if name == "IsotonicRegression" else 3)).astype(float)
    target = np.tile([0, 1], 20) if is_classifier(estimator) else matrix.sum(axis=1) + 1.0 + random.random(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(matrix, target)
    if matrix.shape[1] == 1:
        return SINGLE
    if is_classifier(estimator) and not hasattr(estimator, "predict_proba"):
        return UNSURE
    file = folder / f"{name}.skops"
    try:
        skops.io.dump(estimator, file)
        check_types(file)
    except BundleRefused:
        return FORBIDDEN
    return IMPORTED


def listing(folder: Path) -> str:
    found: dict[str, list[str]] = {kind: [] for kind in (SERVED, IMPORTED, NESTED, SEVERAL, SINGLE, UNSURE, FORBIDDEN)}
    for name in classes():
        found[standing(name, folder)].append(f"`{name}`")
    items = [f"- **{kind[0].upper()}{kind[1:]}**: {', '.join(names)}." for kind, names in found.items()]
    return "\n".join(textwrap.fill(item, width=138, subsequent_indent="  ", break_on_hyphens=False) for item in items) + "\n"


def test_the_documentation_lists_every_estimator_and_why_it_is_none_of_a_manifest(tmp_path: Path) -> None:
    before, _, rest = DOCS.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    if os.environ.get("UPDATE_DOCS"):
        DOCS.write_text(f"{before}{BEGIN}{listing(tmp_path)}{END}{after}")
    else:
        assert old == listing(tmp_path)


LOSSES = {
    "SGDClassifier": ["log_loss", "modified_huber"],
    "GradientBoostingClassifier": ["log_loss", "exponential"],
    "GradientBoostingRegressor": ["squared_error", "absolute_error", "huber", "quantile"],
    "HistGradientBoostingClassifier": ["log_loss"],
    "HistGradientBoostingRegressor": ["squared_error", "absolute_error", "gamma", "poisson", "quantile"],
}


@pytest.mark.parametrize(("name", "loss"), [(name, loss) for name, losses in LOSSES.items() for loss in losses])
def test_each_loss_of_a_candidate_may_be_loaded(tmp_path: Path, name: str, loss: str) -> None:
    """A loss is an object of the fitted model; what a manifest may ask for must not be refused when it is served."""
    file, parameters = (
        tmp_path / "model.skops",
        {"loss": loss} | ({"quantile": 0.5} if loss == "quantile" and name.startswith("Hist") else {}),
    )
    rows = np.random.default_rng(0).normal(size=(60, 2))
    target = rows[:, 0] > 0 if name.endswith("Classifier") else np.abs(rows[:, 0]) + 0.1
    skops.io.dump(classes()[name](**parameters).fit(rows, target), file)
    check_types(file)


def test_a_manifest_takes_no_other_estimators_and_says_which_there_are() -> None:
    listed = {str(estimator) for estimator in Estimator}
    for name, kind in classes().items():
        path = f"{kind.__module__.rpartition('._')[0] or kind.__module__}.{name}"
        if path in listed:
            assert Candidate(name="x", estimator=Estimator(path)).estimator == path
        else:
            with pytest.raises(ValidationError, match="Input should be 'sklearn"):
                Candidate.model_validate({"name": "x", "estimator": path})
