"""The JSON schemas of the OpenAPI description, with the model's own columns and outputs.

Not here: the operations that refer to them (``description.py``).
"""

from typing import Any

from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType

from ...inference.tensors import COLUMN_DATATYPES, DATATYPES, MAX_NAME_LENGTH, ModelMetadata

Json = dict[str, Any]
_JSON_TYPES = {ColumnType.NUMBER: "number", ColumnType.BOOLEAN: "boolean", ColumnType.CATEGORY: "string", ColumnType.TIME: "string"}


def component_schemas(metadata: ModelMetadata, schema: BundleSchema) -> Json:
    """Return the schemas of one model, by their names."""
    return {
        "Error": object_schema({"error": {"type": "string"}}, "error"),
        "ServerMetadata": object_schema(
            {"name": _text(), "version": _text(), "extensions": {"type": "array", "items": _text()}}, "name", "version", "extensions"
        ),
        "Models": object_schema({"models": {"type": "array", "items": _text()}}, "models"),
        "ModelReady": object_schema({"name": _text(), "ready": {"type": "boolean"}}, "name", "ready"),
        "ModelMetadata": {"type": "object", "required": ["name", "versions", "platform", "inputs", "outputs"]},
        "InferRequest": _infer_request(schema),
        "InferResponse": object_schema(
            {
                "model_name": {"const": metadata.name},
                "model_version": {"const": metadata.versions[0]},
                "id": _text(),
                "outputs": {"type": "array", "items": _output([tensor.name for tensor in metadata.outputs])},
            },
            "model_name",
            "model_version",
            "outputs",
        ),
        "PredictRequest": {
            "oneOf": [object_schema({"instances": _rows(schema)}, "instances"), object_schema({"inputs": _rows(schema)}, "inputs")]
        },
        "PredictResponse": object_schema(
            {"predictions": {"type": "array"}, "prediction_ids": {"type": "array", "items": _text()}}, "predictions", "prediction_ids"
        ),
        "FeedbackResponse": {"type": "object", "required": ["accepted", "repeated", "rejected"]},
    }


def object_schema(properties: Json, *required: str) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def _infer_request(schema: BundleSchema) -> Json:
    tensors = [_tensor(column) for column in schema.features]
    if schema.time:
        tensors.append(_tensor(SchemaColumn(name=schema.time, type=ColumnType.TIME)))
    kinds: list[Json] = [{"type": "array", "minItems": len(schema.features), "maxItems": len(tensors), "items": {"anyOf": tensors}}]
    if all(column.type is ColumnType.NUMBER for column in schema.features):
        kinds.append({"type": "array", "minItems": 1, "maxItems": 1, "items": _matrix(len(schema.features))})
    wanted = object_schema({"name": _text(), "parameters": {"type": "object"}}, "name")
    properties: Json = {
        "id": _text(),
        "parameters": {"type": "object"},
        "inputs": {"anyOf": kinds},
        "outputs": {"type": "array", "items": wanted},
    }
    return object_schema(properties, "inputs")


def _tensor(column: SchemaColumn) -> Json:
    rows = {"type": "integer", "minimum": 1}
    properties: Json = {
        "name": {"const": column.name},
        "datatype": {"enum": list(COLUMN_DATATYPES[column.type])},
        "shape": {"type": "array", "prefixItems": [rows, {"const": 1}], "items": False, "minItems": 1, "maxItems": 2},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {"type": [_JSON_TYPES[column.type], "null"]}},
    }
    return object_schema(properties, "name", "datatype", "shape", "data")


def _matrix(features: int) -> Json:
    properties: Json = {
        "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH},
        "datatype": {"enum": list(COLUMN_DATATYPES[ColumnType.NUMBER])},
        "shape": {"type": "array", "prefixItems": [{"type": "integer", "minimum": 1}, {"const": features}], "minItems": 2, "maxItems": 2},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {"type": ["number", "null", "array"]}},
    }
    return object_schema(properties, "name", "datatype", "shape", "data")


def _output(names: list[str]) -> Json:
    shape = {"type": "array", "items": {"type": "integer"}}
    properties: Json = {"name": {"enum": names}, "datatype": {"enum": sorted(DATATYPES)}, "shape": shape, "data": {"type": "array"}}
    return object_schema(properties, "name", "datatype", "shape", "data")


def _rows(schema: BundleSchema) -> Json:
    columns = {column.name: {"type": [_JSON_TYPES[column.type], "null"]} for column in schema.features}
    by_name = object_schema(columns, *columns)
    in_order = {"type": "array", "prefixItems": list(columns.values()), "items": False, "minItems": len(columns), "maxItems": len(columns)}
    return {"anyOf": [{"type": "array", "minItems": 1, "items": by_name}, {"type": "array", "minItems": 1, "items": in_order}]}


def _text() -> Json:
    return {"type": "string"}
