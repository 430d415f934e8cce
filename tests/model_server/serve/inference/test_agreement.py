"""What is served is what scikit-learn's own ``predict`` and ``predict_proba`` say, for every estimator of a manifest and every protocol."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from mlmodel_contract.manifest import Estimator
from mlmodel_contract.quality_metrics import Task
from model_server.serve.grpc.messages import RpcCall
from model_server.serve.grpc.oip import open_inference_pb2 as oip
from model_server.serve.http.oip_json import InferCall
from model_server.train.pipeline import is_tree
from threadpoolctl import threadpool_limits

from tests.model_server.support.agreement import DATATYPES, Declared, Packaged, declared, packaged, present
from tests.model_server.support.grpc_calls import packed, typed, values
from tests.model_server.support.request_bodies import HEADER, Json, binary, tensor
from tests.support.lengths import length

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

EXAMPLES = length(40, 3_000)
AT_ODDS = {Estimator.SGD_CLASSIFIER, Estimator.K_NEIGHBORS_CLASSIFIER, Estimator.DUMMY_CLASSIFIER}
"""Their ``predict`` does not go by their ``predict_proba``: it breaks ties of probabilities by scores or sums of weights, or draws lots."""


def request(made: Packaged, columns: Mapping[str, Any]) -> Json:
    return {"inputs": [tensor(name, DATATYPES[kind], np.asarray(columns[name]).tolist()) for name, kind in made.declared.features.items()]}


def as_json(asked: Json) -> Json:
    """With null where a number is missing."""
    return {"inputs": [{**item, "data": [None if value != value else value for value in item["data"]]} for item in asked["inputs"]]}


def by_json(made: Packaged, body: bytes, length: int | None = None) -> Json:
    call = InferCall(body, length)
    response, _ = made.plane.infer(call.decode())
    content = call.encode(response)
    document = json.loads(content[0] if isinstance(content, tuple) else content)
    return {item["name"]: item["data"] for item in document["outputs"]}


def by_grpc(made: Packaged, message: oip.ModelInferRequest) -> Json:
    call = RpcCall(message.SerializeToString(), made.plane.find)
    response, _ = made.plane.infer(call.decode())
    found = values(oip.ModelInferResponse.FromString(call.encode(response)))
    return {name: np.frombuffer(content) if isinstance(content, bytes) else content for name, content in found.items()}


def answers(made: Packaged, columns: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Json]]:
    """Ask for the rows in every form; each comes with the rows that it could tell."""
    yield "REST, JSON", columns, by_json(made, json.dumps(as_json(request(made, columns))).encode())
    sendable = present(columns)
    body, headers = binary(request(made, sendable))
    yield "REST, bytes", sendable, by_json(made, body, int(headers[HEADER]))
    yield "gRPC, typed", sendable, by_grpc(made, typed(request(made, sendable)))
    message = packed(request(made, sendable))
    message.outputs.add(name=numbers_of(made))
    yield "gRPC, raw", sendable, by_grpc(made, message)


def numbers_of(made: Packaged) -> str:
    return "predict" if made.declared.task is Task.REGRESSION else "predict_proba"


def agrees(made: Packaged, columns: Mapping[str, Any]) -> None:
    """Hold every form's answer against scikit-learn's: each number within the declared tolerance, and every label."""
    tolerance = made.plane.metadata().parameters["tolerance"]
    for form, sent, found in answers(made, columns):
        labels, expected = made.expected(sent)
        difference = np.abs(np.reshape(found[numbers_of(made)], expected.shape) - expected).max()
        assert difference <= tolerance, f"{form}: differs by {difference:g}, more than {tolerance:g}"
        if made.declared.task is Task.CLASSIFICATION and "predict" in found:
            likeliest = [made.bundle.schema.classes[place] for place in expected.argmax(axis=1)]
            if made.declared.estimator not in AT_ODDS:
                assert labels == likeliest
            ties = np.ptp(np.sort(expected, axis=1)[:, -2:], axis=1) <= tolerance
            rows = zip(likeliest, found["predict"], ties & (not exact(made)), strict=True)
            flips = [(row, label, predicted) for row, (label, predicted, tie) in enumerate(rows) if label != predicted and not tie]
            assert not flips, f"{form}: {len(flips)} labels differ, such as {flips[0]}"


def exact(made: Packaged) -> bool:
    """Return whether not even two classes with the same probability, but for the last digits, may be swapped."""
    return is_tree(made.declared.estimator) or made.plane.model.predictor.engine == "scikit-learn"


def test_what_is_served_is_what_scikit_learn_says() -> None:
    engines: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(model=declared())
    def agreed(model: Declared) -> None:
        with TemporaryDirectory() as folder, threadpool_limits(1):  # more threads would wait for each other over so few rows
            made = packaged(Path(folder), model)
            if isinstance(made, str):
                engines[f"refused: {made}"] += 1
                return
            engines[made.plane.model.predictor.engine] += 1
            rows = model.rows(60, 1)
            agrees(made, rows)
            agrees(made, made.hostile(rows))
            agrees(made, {name: values[:1] for name, values in rows.items()})

    agreed()
    assert engines["onnxruntime"] > EXAMPLES // 4, engines
    assert engines["scikit-learn"] > 0, engines
