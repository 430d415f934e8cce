"""The OpenAPI 3.1 description of the server: its REST endpoints, with the model's own columns in requests and examples, and credentials.

Not here: the page that shows it (``docs_page.py``), and the endpoints.
"""

from collections.abc import Mapping
from typing import Any

from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import Authentication, ColumnType

from ..access.authenticator import OPEN
from ..inference.server_metadata import SERVER, server_version
from ..inference.tensors import COLUMN_DATATYPES, DATATYPES, DATATYPES_OF, MAX_NAME_LENGTH, ModelMetadata

Json = dict[str, Any]
_JSON_TYPES = {ColumnType.NUMBER: "number", ColumnType.BOOLEAN: "boolean", ColumnType.CATEGORY: "string", ColumnType.TIME: "string"}
_EXAMPLES: Mapping[ColumnType, Any] = {
    ColumnType.NUMBER: 1.0,
    ColumnType.BOOLEAN: True,
    ColumnType.CATEGORY: "text",
    ColumnType.TIME: "2013-07-01T08:15:00Z",
}
_ERRORS = {
    "400": "The request is not taken; the error says what to change.",
    "401": "The credentials are none, or no good ones.",
    "403": "The caller may not call this model.",
    "404": "There is no such model or version here.",
    "408": "The request did not arrive in time.",
    "413": "The request is too long.",
    "429": "Too many requests are under way.",
    "503": "The server ends, or cannot do it now.",
    "504": "The request was not computed in time.",
}
_REVIEW_ERRORS = ("401", "403", "429", "503")
_BODY_ERRORS = ("400", "404", "408", "413", "429", "503", "504")


def describe(metadata: ModelMetadata, schema: BundleSchema, authentication: Authentication | None) -> Json:
    """Return the description of the server of one model; it names credentials only where the server asks for them."""
    description = _describe(metadata, schema)
    return _guarded(description, authentication) if authentication else description


def _describe(metadata: ModelMetadata, schema: BundleSchema) -> Json:
    name, version = metadata.name, metadata.versions[0]
    base = f"/v2/models/{name}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": version,
            "summary": f"Predicts '{schema.target}' ({schema.task.value}) by the Open Inference Protocol v2 and KServe's V1.",
            "description": f"Served by {SERVER} {server_version()} with {metadata.parameters['engine']}.",
        },
        "paths": {
            f"{base}/infer": {"post": _infer(schema, "infer")},
            f"{base}/versions/{version}/infer": {"post": _infer(schema, "inferByVersion")},
            f"/v1/models/{name}:predict": {"post": _predict(schema)},
            f"{base}/feedback": {"post": _feedback(schema)},
            base: {"get": _get("modelMetadata", "What the model takes and gives.", _ref("ModelMetadata"))},
            f"{base}/ready": {"get": _get("modelReady", "Whether the model is ready.", _ref("ModelReady"), {"503": _ref("ModelReady")})},
            f"/v1/models/{name}": {"get": _get("modelReadyV1", "The same by V1.", _ref("ModelReady"), {"503": _ref("ModelReady")})},
            "/v2": {"get": _get("serverMetadata", "The server's name, version and extensions.", _ref("ServerMetadata"))},
            "/v2/health/live": {"get": _get("live", "Whether the process answers.", _flag("live"))},
            "/v2/health/ready": {"get": _get("ready", "Whether requests should come here.", _flag("ready"), {"503": _flag("ready")})},
            "/v2/models": {"get": _get("models", "The models: one.", _ref("Models"))},
            "/v1/models": {"get": _get("modelsV1", "The same by V1.", _ref("Models"))},
            "/v2/repository/index": {"post": _index()},
        },
        "components": {"schemas": _schemas(metadata, schema)},
    }


def _guarded(description: Json, authentication: Authentication) -> Json:
    """Return a description with what the gate asks for, and what it answers."""
    refusals = _errors("401") if authentication.secret else _errors(*_REVIEW_ERRORS)
    for path, operations in description["paths"].items():
        for operation in operations.values():
            if path in OPEN:
                operation["security"] = []
            else:
                responses = operation["responses"]
                responses |= {status: _either(responses.get(status), refusal) for status, refusal in refusals.items()}
    schemes = _schemes(authentication)
    components = {**description["components"], "securitySchemes": schemes}
    return {**description, "security": [{name: []} for name in schemes], "components": components}


def _schemes(authentication: Authentication) -> Json:
    if authentication.kubernetes:
        audiences = " or ".join(authentication.kubernetes.audiences)
        token = f"A token of Kubernetes for the audience {audiences}, whose user may create mlmodels/predict of this model."
        return {"bearer": {"type": "http", "scheme": "bearer", "description": token}}
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of this model."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, in place of the header Authorization."},
    }


def example(schema: BundleSchema) -> Json:
    """Return an inference request of one row."""
    return {
        "inputs": [
            {"name": column.name, "shape": [1], "datatype": DATATYPES_OF[column.type], "data": [_value(column)]}
            for column in schema.features
        ]
    }


def example_v1(schema: BundleSchema) -> Json:
    """Return a request of V1 of one row."""
    return {"instances": [{column.name: _value(column) for column in schema.features}]}


def _value(column: SchemaColumn) -> Any:
    if column.type is ColumnType.NUMBER and (column.min is not None or column.max is not None):
        return column.min if column.min is not None else column.max
    return _EXAMPLES[column.type]


def _infer(schema: BundleSchema, operation: str) -> Json:
    return {
        "operationId": operation,
        "summary": "Predict rows: a tensor for each column, or one matrix where all features are numbers.",
        "requestBody": _body(_ref("InferRequest"), example(schema)),
        "responses": {"200": _json("The predictions.", _ref("InferResponse")), **_errors(*_BODY_ERRORS)},
    }


def _predict(schema: BundleSchema) -> Json:
    return {
        "operationId": "predict",
        "summary": "Predict rows by KServe's protocol V1.",
        "requestBody": _body(_ref("PredictRequest"), example_v1(schema)),
        "responses": {"200": _json("The predictions.", _ref("PredictResponse")), **_errors(*_BODY_ERRORS)},
    }


def _feedback(schema: BundleSchema) -> Json:
    truth = {"type": "number"} if not schema.classes else {"enum": list(schema.classes)}
    label = _object({"id": {"type": "string"}, "truth": truth}, "id", "truth")
    labels = _object({"labels": {"type": "array", "minItems": 1, "items": label}}, "labels")
    return {
        "operationId": "feedback",
        "summary": "Send back what came true, by the prediction ids.",
        "requestBody": _body({"oneOf": [label, labels]}, {"id": "...", "truth": schema.classes[0] if schema.classes else 1.0}),
        "responses": {"200": _json("What was taken.", _ref("FeedbackResponse")), **_errors(*_BODY_ERRORS)},
    }


def _index() -> Json:
    entry = _object({name: {"type": "string"} for name in ("name", "version", "state", "reason")}, "name", "version", "state")
    return {
        "operationId": "repositoryIndex",
        "summary": "The repository's models: one.",
        "requestBody": {"required": False, "content": {"application/json": {"schema": _object({"ready": {"type": "boolean"}})}}},
        "responses": {"200": _json("The index.", {"type": "array", "items": entry}), **_errors("400", "408", "413", "429")},
    }


def _schemas(metadata: ModelMetadata, schema: BundleSchema) -> Json:
    return {
        "Error": _object({"error": {"type": "string"}}, "error"),
        "ServerMetadata": _object(
            {"name": _text(), "version": _text(), "extensions": {"type": "array", "items": _text()}}, "name", "version", "extensions"
        ),
        "Models": _object({"models": {"type": "array", "items": _text()}}, "models"),
        "ModelReady": _object({"name": _text(), "ready": {"type": "boolean"}}, "name", "ready"),
        "ModelMetadata": {"type": "object", "required": ["name", "versions", "platform", "inputs", "outputs"]},
        "InferRequest": _infer_request(schema),
        "InferResponse": _object(
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
        "PredictRequest": {"oneOf": [_object({"instances": _rows(schema)}, "instances"), _object({"inputs": _rows(schema)}, "inputs")]},
        "PredictResponse": _object(
            {"predictions": {"type": "array"}, "prediction_ids": {"type": "array", "items": _text()}}, "predictions", "prediction_ids"
        ),
        "FeedbackResponse": {"type": "object", "required": ["accepted", "repeated", "rejected"]},
    }


def _infer_request(schema: BundleSchema) -> Json:
    tensors = [_tensor(column) for column in schema.features]
    if schema.time:
        tensors.append(_tensor(SchemaColumn(name=schema.time, type=ColumnType.TIME)))
    kinds: list[Json] = [{"type": "array", "minItems": len(schema.features), "maxItems": len(tensors), "items": {"anyOf": tensors}}]
    if all(column.type is ColumnType.NUMBER for column in schema.features):
        kinds.append({"type": "array", "minItems": 1, "maxItems": 1, "items": _matrix(len(schema.features))})
    wanted = _object({"name": _text(), "parameters": {"type": "object"}}, "name")
    properties: Json = {
        "id": _text(),
        "parameters": {"type": "object"},
        "inputs": {"anyOf": kinds},
        "outputs": {"type": "array", "items": wanted},
    }
    return _object(properties, "inputs")


def _tensor(column: SchemaColumn) -> Json:
    rows = {"type": "integer", "minimum": 1}
    properties: Json = {
        "name": {"const": column.name},
        "datatype": {"enum": list(COLUMN_DATATYPES[column.type])},
        "shape": {"type": "array", "prefixItems": [rows, {"const": 1}], "items": False, "minItems": 1, "maxItems": 2},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {"type": [_JSON_TYPES[column.type], "null"]}},
    }
    return _object(properties, "name", "datatype", "shape", "data")


def _matrix(features: int) -> Json:
    properties: Json = {
        "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH},
        "datatype": {"enum": list(COLUMN_DATATYPES[ColumnType.NUMBER])},
        "shape": {"type": "array", "prefixItems": [{"type": "integer", "minimum": 1}, {"const": features}], "minItems": 2, "maxItems": 2},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {"type": ["number", "null", "array"]}},
    }
    return _object(properties, "name", "datatype", "shape", "data")


def _output(names: list[str]) -> Json:
    shape = {"type": "array", "items": {"type": "integer"}}
    properties: Json = {"name": {"enum": names}, "datatype": {"enum": sorted(DATATYPES)}, "shape": shape, "data": {"type": "array"}}
    return _object(properties, "name", "datatype", "shape", "data")


def _rows(schema: BundleSchema) -> Json:
    columns = {column.name: {"type": [_JSON_TYPES[column.type], "null"]} for column in schema.features}
    by_name = _object(columns, *columns)
    in_order = {"type": "array", "prefixItems": list(columns.values()), "items": False, "minItems": len(columns), "maxItems": len(columns)}
    return {"anyOf": [{"type": "array", "minItems": 1, "items": by_name}, {"type": "array", "minItems": 1, "items": in_order}]}


def _get(operation: str, summary: str, schema: Json, others: Mapping[str, Json] | None = None) -> Json:
    more = {status: _json(_ERRORS[status], other) for status, other in (others or {}).items()}
    return {"operationId": operation, "summary": summary, "responses": {"200": _json("The answer.", schema), **more}}


def _body(schema: Json, sample: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": sample}}}


def _json(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: str) -> Json:
    return {status: _json(_ERRORS[status], _ref("Error")) for status in statuses}


def _either(response: Json | None, other: Json) -> Json:
    """Return the response for a status that has two reasons, or one."""
    if response is None or response == other:
        return other
    schemas = [one["content"]["application/json"]["schema"] for one in (response, other)]
    return _json(response["description"], {"anyOf": schemas})


def _object(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def _flag(name: str) -> Json:
    return _object({name: {"type": "boolean"}}, name)


def _text() -> Json:
    return {"type": "string"}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
