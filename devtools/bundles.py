"""Small bundles for the tests of server and sidecar: linear models as ONNX graphs, written by hand so that nothing has to be trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from mlmodel_contract import VERSION
from mlmodel_contract.bundle import (
    GOLDEN,
    MANIFEST,
    MODEL_ONNX,
    PROFILE,
    SCHEMA,
    BundleManifest,
    BundleSchema,
    FeatureProfile,
    GoldenRows,
    Profile,
    SchemaColumn,
    SliceGroup,
)
from mlmodel_contract.manifest import ColumnType, Estimator
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import PREDICTION, FeatureKind, LossReference
from model_server.bundle.engine import OnnxPredictor
from model_server.bundle.json_rows import to_columns
from model_server.bundle.libraries import installed

CARRIERS = ("AA", "B6", "UA")
Row = Mapping[str, str | bool | float | None]


@dataclass(frozen=True)
class LinearModel:
    """A linear model: a weight for each feature (for a category: a number for each carrier) and an output."""

    schema: BundleSchema
    weights: Mapping[str, Sequence[float]]

    @property
    def outputs(self) -> int:
        """The number of columns that the graph computes."""
        return max(1, len(self.schema.classes) - 1) if len(self.schema.classes) <= 2 else len(self.schema.classes)


def late_flights() -> LinearModel:
    """Binary, with all types of columns: will a flight be late."""
    columns = [
        SchemaColumn(name="distance", type=ColumnType.NUMBER, min=0, max=6000),
        SchemaColumn(name="wind", type=ColumnType.NUMBER),
        SchemaColumn(name="carrier", type=ColumnType.CATEGORY),
        SchemaColumn(name="holiday", type=ColumnType.BOOLEAN),
    ]
    schema = BundleSchema(
        task=Task.CLASSIFICATION,
        features=columns,
        target="late",
        target_type=ColumnType.BOOLEAN,
        time="departure",
        classes=[False, True],
        slices=[
            SliceGroup(column="carrier", value="AA"),
            SliceGroup(column="holiday", value=False),
            SliceGroup(column="carrier", value="B6"),
            SliceGroup(column="holiday", value=True),
        ],
    )
    return LinearModel(schema, {"distance": [0.0005], "wind": [0.05], "carrier": [0.7], "holiday": [1.0]})


def minutes() -> LinearModel:
    """A regression on numbers alone."""
    columns = [SchemaColumn(name=name, type=ColumnType.NUMBER) for name in ("a", "b")]
    schema = BundleSchema(task=Task.REGRESSION, features=columns, target="minutes", target_type=ColumnType.NUMBER)
    return LinearModel(schema, {"a": [2.0], "b": [-1.0]})


def species() -> LinearModel:
    """Three classes of text, on numbers alone."""
    columns = [SchemaColumn(name=name, type=ColumnType.NUMBER) for name in ("length", "width")]
    schema = BundleSchema(
        task=Task.CLASSIFICATION,
        features=columns,
        target="species",
        target_type=ColumnType.CATEGORY,
        classes=["setosa", "versicolor", "virginica"],
    )
    return LinearModel(schema, {"length": [-1.0, 0.1, 1.0], "width": [1.0, 0.1, -1.0]})


def write_bundle(folder: Path, model: LinearModel, version: str) -> str:
    """Write a bundle and return its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_ONNX).write_bytes(_graph(model))
    predictor = OnnxPredictor(folder / MODEL_ONNX, model.schema.features)
    rows = golden_rows(model.schema)
    predictions = predictor.predict(to_columns(rows, model.schema.features), len(rows))
    documents = {
        SCHEMA: model.schema.wire(),
        PROFILE: _profile(model.schema).wire(),
        GOLDEN: GoldenRows(rows=[dict(row) for row in rows], predictions=predictions.tolist(), tolerance=1e-5).model_dump(mode="json"),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    manifest = BundleManifest(
        contract=VERSION,
        version=version,
        estimator=Estimator.LOGISTIC_REGRESSION,
        engine="onnxruntime",
        libraries=installed(),
        files={name: _digest(folder / name) for name in (*documents, MODEL_ONNX)},
    )
    (folder / MANIFEST).write_text(json.dumps(manifest.wire()))
    return _digest(folder / MANIFEST)


def golden_rows(schema: BundleSchema) -> list[Row]:
    """Rows with ordinary, missing and unseen values."""
    random = np.random.default_rng(7)
    values: dict[ColumnType, Any] = {
        ColumnType.NUMBER: lambda: float(random.normal()),
        ColumnType.CATEGORY: lambda: str(random.choice(["AA", "B6", "never seen"])),
        ColumnType.BOOLEAN: lambda: bool(random.integers(2)),
    }
    full = [{column.name: values[column.type]() for column in schema.features} for _ in range(6)]
    return [*full, {column.name: None for column in schema.features}]


def _profile(schema: BundleSchema) -> Profile:
    features = [_feature(column) for column in schema.features]
    prediction = FeatureProfile(name=PREDICTION, kind=FeatureKind.NUMERIC, edges=[0.25, 0.5, 0.75], counts=[25, 25, 25, 25, 0])
    loss = LossReference(rows=100, mean=0.5, variance=0.2)
    return Profile(rows=100, features=[*features, prediction], loss=loss)


def _feature(column: SchemaColumn) -> FeatureProfile:
    if column.type is ColumnType.NUMBER:
        edges = [500.0, 1000.0] if column.name == "distance" else [-1.0, 0.0, 1.0]
        return FeatureProfile(name=column.name, kind=FeatureKind.NUMERIC, edges=edges, counts=[100, *[0] * (len(edges) + 1)])
    categories = ["false", "true"] if column.type is ColumnType.BOOLEAN else list(CARRIERS)
    return FeatureProfile(name=column.name, kind=FeatureKind.CATEGORICAL, categories=categories, counts=[100, *[0] * (len(categories) + 1)])


def _digest(file: Path) -> str:
    return f"sha256:{sha256(file.read_bytes()).hexdigest()}"


def _graph(model: LinearModel) -> bytes:
    """Numbers with NaN as 0, carriers as 1, 2, 3 (others 0), times weights; then a sigmoid, a softmax, or nothing."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, inputs, numbers = [], [], []
    for column in model.schema.features:
        text = column.type is ColumnType.CATEGORY
        inputs.append(helper.make_tensor_value_info(column.name, TensorProto.STRING if text else TensorProto.FLOAT, [None, 1]))
        number = f"{column.name}_number"
        numbers.append(number)
        if text:
            nodes.append(
                helper.make_node(
                    "LabelEncoder",
                    [column.name],
                    [number],
                    domain="ai.onnx.ml",
                    keys_strings=list(CARRIERS),
                    values_floats=[1.0, 2.0, 3.0],
                    default_float=0.0,
                )
            )
        else:
            nodes.append(helper.make_node("IsNaN", [column.name], [f"{column.name}_missing"]))
            nodes.append(helper.make_node("Where", [f"{column.name}_missing", "zero", column.name], [number]))
    weights = np.array([model.weights[column.name] for column in model.schema.features], dtype=np.float32)
    initial = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([0.0], np.float32), "zero")]
    initial.append(numpy_helper.from_array(np.array([1.0], np.float32), "one"))
    nodes.append(helper.make_node("Concat", numbers, ["matrix"], axis=1))
    nodes.append(helper.make_node("MatMul", ["matrix", "weights"], ["scores"]))
    nodes += _head(model, helper)
    output = helper.make_tensor_value_info("result", TensorProto.FLOAT, [None, None])
    graph = helper.make_graph(nodes, "linear", inputs, [output], initial)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return content


def _head(model: LinearModel, helper: Any) -> list[Any]:
    if model.schema.task is Task.REGRESSION:
        return [helper.make_node("Identity", ["scores"], ["result"])]
    if len(model.schema.classes) > 2:
        return [helper.make_node("Softmax", ["scores"], ["result"], axis=1)]
    return [
        helper.make_node("Sigmoid", ["scores"], ["positive"]),
        helper.make_node("Sub", ["one", "positive"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["result"], axis=1),
    ]
