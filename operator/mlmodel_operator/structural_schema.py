"""Makes Kubernetes' structural schemas of pydantic models.

A structural schema names a type at every node and has no references and no alternatives; what is absent stands for null.
Not here: which models become CRDs (``crds.py``).
"""

from typing import Any

from mlmodel_contract.base import Document
from pydantic.json_schema import GenerateJsonSchema, NoDefault

Schema = dict[str, Any]

_DROPPED = ("title", "examples", "$defs", "propertyNames")
_NUMBERS = {"integer": "int64", "number": "double"}


class _WithFactories(GenerateJsonSchema):
    """Pydantic's own generator, that also writes down the defaults that a factory makes."""

    def get_default_value(self, schema: Any) -> Any:
        factory = schema.get("default_factory")
        if factory is None:
            return super().get_default_value(schema)
        value = factory()
        if isinstance(value, Document):  # defaults of its own fields are filled in by the API server, level by level
            return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return value if value else NoDefault


def structural_schema(model: type[Document], *, defaults: bool) -> Schema:
    """Return the structural schema of a document.

    Args:
        model: the document.
        defaults: whether the API server fills in defaults; of no use where only programs write, which write the whole document.

    Raises:
        ValueError: a field has no description, or a type that no structural schema can say.

    """
    whole = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_WithFactories)
    return _Converter(whole.get("$defs", {}), defaults=defaults).convert(whole, model.__name__)


class _Converter:
    """Converts one JSON schema, with the definitions that it refers to."""

    def __init__(self, definitions: dict[str, Schema], *, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, schema: Schema, path: str) -> Schema:
        """Return the structural schema of a node; ``path`` is for errors."""
        schema = self._resolve(schema)
        if "anyOf" in schema or "type" not in schema:
            return _described(schema) | {"x-kubernetes-preserve-unknown-fields": True}
        made = {key: value for key, value in schema.items() if key not in _DROPPED}
        if "description" in made:
            made["description"] = _flowing(made["description"])
        if "default" in made and not (self._defaults and _worth_filling_in(made["default"])):
            del made["default"]
        match schema["type"]:
            case "object":
                return made | self._object(made, schema, path)
            case "array":
                return made | {"items": self.convert(schema["items"], f"{path}[]")}
            case _:
                return made | _scalar(made, schema["type"], path)

    def _resolve(self, schema: Schema) -> Schema:
        """Follow references and drop the alternative null; what stands beside a reference wins over what it refers to."""
        while True:
            if "$ref" in schema:
                target, beside = self._definitions[schema["$ref"].rsplit("/", 1)[1]], schema
            elif len(real := [option for option in schema.get("anyOf", []) if option != {"type": "null"}]) == 1:
                target, beside = real[0], schema
            else:
                return schema
            schema = target | {key: value for key, value in beside.items() if key not in ("$ref", "anyOf")}

    def _object(self, made: Schema, schema: Schema, path: str) -> Schema:
        if "properties" in schema:
            made.pop("additionalProperties", None)  # unknown fields are refused or pruned as the client asks
            properties = {name: self._property(field, f"{path}.{name}") for name, field in schema["properties"].items()}
            return {"properties": properties}
        values = schema.get("additionalProperties", True)
        if values is True:
            made.pop("additionalProperties", None)
            return {"x-kubernetes-preserve-unknown-fields": True}
        if keys := self._resolve(schema.get("propertyNames", {})).get("enum"):
            for key in ("additionalProperties", "maxProperties"):
                made.pop(key, None)
            return {"properties": {key: {"description": f"For {key}."} | self.convert(values, f"{path}.{key}") for key in keys}}
        return {"additionalProperties": self.convert(values, f"{path}.*")}

    def _property(self, schema: Schema, path: str) -> Schema:
        made = self.convert(schema, path)
        if not made.get("description"):
            raise ValueError(f"{path} has no description: `kubectl explain` shows it, write one")
        return made


def _scalar(made: Schema, kind: str, path: str) -> Schema:
    if kind not in ("string", "boolean", *_NUMBERS):
        raise ValueError(f"{path}: no structural schema can say the type {kind}")
    changed: Schema = {"format": _NUMBERS[kind]} if kind in _NUMBERS else {}
    if "const" in made:
        changed["enum"] = [made.pop("const")]
    for end in ("Minimum", "Maximum"):  # OpenAPI 3.0 says an open end by a flag
        if f"exclusive{end}" in made:
            changed |= {end.lower(): made[f"exclusive{end}"], f"exclusive{end}": True}
    return changed


def _described(schema: Schema) -> Schema:
    return {"description": _flowing(schema["description"])} if "description" in schema else {}


def _flowing(text: str) -> str:
    """Join the lines of a docstring's paragraphs."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _worth_filling_in(default: Any) -> bool:
    """Return whether a default says something or stands for absence; an empty object is filled in by the defaults below it."""
    return default is not None and default not in ("", [])
