"""A contract of import-linter that it does not have itself: all that a package may import, where ``forbidden`` lists what it may not.

Registered in ``.importlinter``. Not here: which packages have such a list.
"""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowedImportsContract(Contract):
    """Packages that import nothing but themselves, the standard library and the packages that are listed.

    Configuration options:
        - source_packages:  Packages whose imports are checked.
        - allowed_packages: Top-level packages that they may import.
    """

    source_packages = fields.SetField(subfield=fields.StringField())
    allowed_packages = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 (the base class's signature)
        """Find each import of a package that is not allowed."""
        allowed = {*map(str, self.allowed_packages), *sys.stdlib_module_names}  # type: ignore[call-overload]
        sources = sorted(map(str, self.source_packages))  # type: ignore[call-overload]
        found = [text for source in sources for text in _other_imports(graph, source, allowed | {source})]
        return ContractCheck(kept=not found, metadata={"imports": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not allowed."""
        for text in check.metadata["imports"]:
            output.print_error(text)


def _other_imports(graph: ImportGraph, source: str, allowed: set[str]) -> list[str]:
    modules = {source, *graph.find_descendants(source)}
    pairs = [(module, imported) for module in modules for imported in graph.find_modules_directly_imported_by(module)]
    return [f"{module} imports {imported}" for module, imported in sorted(pairs) if imported.split(".")[0] not in allowed]
