"""The contract that lists all that a package may import."""

import pytest
from grimp import ImportGraph

from devtools.import_rules import AllowedImportsContract


def contract(allowed: str) -> AllowedImportsContract:
    options = {"source_packages": ["ours"], "allowed_packages": [allowed]}
    return AllowedImportsContract("ours", session_options={}, contract_options=options)


def graph(*imports: tuple[str, str]) -> ImportGraph:
    made = ImportGraph()
    for importer, imported in imports:
        made.add_import(importer=importer, imported=imported)
    return made


def test_the_package_itself_the_standard_library_and_what_is_listed_are_allowed() -> None:
    known = graph(("ours", "ours.a"), ("ours.a", "ours.b"), ("ours.b", "json"), ("ours.b", "numpy"), ("others", "kubernetes"))
    assert contract("numpy").check(known, verbose=False).kept


def test_anything_else_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    rule = contract("numpy")
    check = rule.check(graph(("ours", "ours.a"), ("ours.a", "kubernetes"), ("ours.a", "numpy")), verbose=False)
    assert not check.kept
    rule.render_broken_contract(check)
    assert "ours.a imports kubernetes" in capsys.readouterr().out
