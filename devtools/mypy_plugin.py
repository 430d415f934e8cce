"""A plugin of mypy: ``document.replace(...)`` takes the fields of the document's class, each with its type.

Not here: what ``replace`` does (``mlmodel_contract.base.Document``).
"""

from collections.abc import Callable

from mypy.nodes import ARG_NAMED_OPT, TypeInfo, Var
from mypy.plugin import MethodSigContext, Plugin
from mypy.types import CallableType, FunctionLike, Instance, Type, get_proper_type

_REPLACE = "mlmodel_contract.base.Document.replace"


class DocumentPlugin(Plugin):
    """Gives ``Document.replace`` the signature of the class that it is called on."""

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Return the hook for calls of a method."""
        owner, _, method = fullname.rpartition(".")
        return _signature if method == "replace" and self._is_document(owner) else None

    def _is_document(self, fullname: str) -> bool:
        symbol = self.lookup_fully_qualified(fullname)
        info = symbol.node if symbol else None
        found = info.get_method("replace") if isinstance(info, TypeInfo) else None
        return found is not None and found.fullname == _REPLACE


def _signature(context: MethodSigContext) -> FunctionLike:
    receiver = get_proper_type(context.type)
    if not isinstance(receiver, Instance):
        return context.default_signature
    fields = _fields(receiver.type)
    return context.default_signature.copy_modified(
        arg_names=list(fields), arg_kinds=[ARG_NAMED_OPT] * len(fields), arg_types=list(fields.values())
    )


def _fields(info: TypeInfo) -> dict[str, Type]:
    """Return the types of the fields by name: the keywords of the constructor that pydantic's plugin has made."""
    constructor = info.get_method("__init__")
    signature = get_proper_type(constructor.type) if constructor else None
    names = signature.arg_names if isinstance(signature, CallableType) else []
    variables = {name: info.get(name) for name in names if name}
    return {name: found.node.type for name, found in variables.items() if found and isinstance(found.node, Var) and found.node.type}


def plugin(version: str) -> type[Plugin]:  # noqa: ARG001 (mypy passes it)
    """Return the plugin, as mypy asks for it."""
    return DocumentPlugin
