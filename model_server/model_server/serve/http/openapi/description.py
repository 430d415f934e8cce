"""The OpenAPI 3.1 description of the server: its REST endpoints, with the model's own columns in requests and examples, and credentials.

Not here: its schemas (``schemas.py``), the page that shows it (``docs_page.py``), and the endpoints.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import Authentication, ColumnType

from ...inference.server_metadata import SERVER, server_version
from ...inference.tensors import DATATYPES_OF, ModelMetadata
from .. import routes
from ..routes import OPEN_PATHS, Route
from .schemas import Json, component_schemas, object_schema

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
    return _with_credentials(description, authentication) if authentication else description


def _describe(metadata: ModelMetadata, schema: BundleSchema) -> Json:
    name, version = metadata.name, metadata.versions[0]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": version,
            "summary": f"Predicts '{schema.target}' ({schema.task.value}) by the Open Inference Protocol v2 and KServe's V1.",
            "description": f"Served by {SERVER} {server_version()} with {metadata.parameters['engine']}.",
        },
        "paths": {route.url(name, version): {route.method.lower(): operation} for route, operation in _operations(schema)},
        "components": {"schemas": component_schemas(metadata, schema)},
    }


def _operations(schema: BundleSchema) -> Iterator[tuple[Route, Json]]:
    """Return what is described of each route; probes by version and what only refuses are left out."""
    not_ready = {"503": _ref("ModelReady")}
    yield routes.INFER, _infer(schema, "infer")
    yield routes.INFER_VERSION, _infer(schema, "inferByVersion")
    yield routes.V1_PREDICT, _predict(schema)
    yield routes.FEEDBACK, _feedback(schema)
    yield routes.MODEL_METADATA, _get("modelMetadata", "What the model takes and gives.", _ref("ModelMetadata"))
    yield routes.MODEL_READY, _get("modelReady", "Whether the model is ready.", _ref("ModelReady"), not_ready)
    yield routes.V1_MODEL_READY, _get("modelReadyV1", "The same by V1.", _ref("ModelReady"), not_ready)
    yield routes.SERVER_METADATA, _get("serverMetadata", "The server's name, version and extensions.", _ref("ServerMetadata"))
    yield routes.SERVER_LIVE, _get("live", "Whether the process answers.", _flag("live"))
    yield routes.SERVER_READY, _get("ready", "Whether requests should come here.", _flag("ready"), {"503": _flag("ready")})
    yield routes.MODELS, _get("models", "The models: one.", _ref("Models"))
    yield routes.V1_MODELS, _get("modelsV1", "The same by V1.", _ref("Models"))
    yield routes.REPOSITORY_INDEX, _index()


def _with_credentials(description: Json, authentication: Authentication) -> Json:
    """Return a description with the credentials that are asked for, and the responses of a refusal."""
    refusals = _errors("401") if authentication.secret else _errors(*_REVIEW_ERRORS)
    for path, operations in description["paths"].items():
        for operation in operations.values():
            if path in OPEN_PATHS:
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
    label = object_schema({"id": {"type": "string"}, "truth": truth}, "id", "truth")
    labels = object_schema({"labels": {"type": "array", "minItems": 1, "items": label}}, "labels")
    return {
        "operationId": "feedback",
        "summary": "Send back what came true, by the prediction ids.",
        "requestBody": _body({"oneOf": [label, labels]}, {"id": "...", "truth": schema.classes[0] if schema.classes else 1.0}),
        "responses": {"200": _json("What was taken.", _ref("FeedbackResponse")), **_errors(*_BODY_ERRORS)},
    }


def _index() -> Json:
    entry = object_schema({name: {"type": "string"} for name in ("name", "version", "state", "reason")}, "name", "version", "state")
    return {
        "operationId": "repositoryIndex",
        "summary": "The repository's models: one.",
        "requestBody": {"required": False, "content": {"application/json": {"schema": object_schema({"ready": {"type": "boolean"}})}}},
        "responses": {"200": _json("The index.", {"type": "array", "items": entry}), **_errors("400", "408", "413", "429")},
    }


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


def _flag(name: str) -> Json:
    return object_schema({name: {"type": "boolean"}}, name)


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
