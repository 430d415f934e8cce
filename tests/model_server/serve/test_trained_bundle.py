"""A trained bundle, with either engine: from the store to the pod, and its labelled rows back to the trainer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlmodel_contract.environment import PATH_STORE

from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import Json, ids, outputs, tensor
from tests.model_server.support.training_runs import Run, flights

pytestmark = pytest.mark.slow

ESTIMATORS = {
    "onnxruntime": "sklearn.linear_model.LogisticRegression",
    "scikit-learn": "sklearn.naive_bayes.GaussianNB",
}


@pytest.fixture(params=ESTIMATORS)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[ServerPod, Run, str]]:
    with pod(None, model="flights", version="flights-v1", store="pvc://store/flights") as made:
        run = Run(made.root, training={"trials": 1, "candidates": [{"name": "only", "estimator": ESTIMATORS[request.param]}]})
        run.write(flights(2_000))
        assert run.prepare().problems == []
        assert run.trial(0).failure is None
        packaged = run.package()
        assert packaged.problems == []
        assert packaged.artifact
        assert packaged.engine == request.param
        made.document = made.document.model_copy(update={"artifact": packaged.artifact})
        assert made.start("fetch").wait(60) == 0, made.log("fetch")
        made.start_both()
        yield made, run, packaged.engine


def asked(rows: int, seed: int) -> tuple[Json, list[bool]]:
    """New flights as a request, and whether they were late."""
    table = flights(rows, seed=seed, hours=10_000).to_pydict()
    times = [time.isoformat() for time in table["at"]]
    tensors = [
        tensor("at", "BYTES", times),
        tensor("wind", "FP64", table["wind"]),
        tensor("temp", "FP64", table["temp"]),
        tensor("carrier", "BYTES", table["carrier"]),
        tensor("holiday", "BOOL", table["holiday"]),
    ]
    return {"inputs": tensors}, table["late"]


def test_a_trained_model_from_bundle_to_captured_rows(served: tuple[ServerPod, Run, str]) -> None:
    made, run, engine = served
    assert made.http.get(made.model_url).json()["parameters"]["engine"] == engine
    request, late = asked(300, seed=5)
    response = made.infer(request)
    probabilities = np.array(outputs(response)["predict_proba"]["data"]).reshape(-1, 2)[:, 1]
    assert probabilities[late].mean() > probabilities[~np.array(late)].mean() + 0.1
    request_labels: Any = {"labels": [{"id": identity, "truth": truth} for identity, truth in zip(ids(response), late, strict=True)]}
    assert made.feedback(request_labels).json() == {"accepted": 300, "repeated": 0, "rejected": []}
    folder = made.path(PATH_STORE) / "store/flights/captured"
    poll(lambda: _files(folder / "rows") and _files(folder / "labels"), "the captured files")
    again = replace(run, number=2, data={"sources": [{"uri": "pvc://data/*.parquet"}, {"captured": {}}]})
    prepared = again.prepare()
    assert prepared.problems == []
    assert prepared.lineage
    assert prepared.lineage.captured_rows == 300
    assert prepared.lineage.train_rows + prepared.lineage.holdout_rows == 2_300


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("**/*.parquet"))
