"""The layout holds: small folders, no private words as names, and one place for each thing that a newcomer looks for."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("contract", "detection", "operator", "model_server", "cli")
CODE = (*PACKAGES, "benchmarks", "demo", "devtools", "examples")
MOST_MODULES, MOST_TEST_FILES = 20, 25
PRIVATE_WORDS = {"told", "seen", "doors", "shortcut", "book", "heads", "plain"}
GENERATED = "_pb2"


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        found = (ROOT / folder).rglob("*.py")
        yield from (path for path in found if not {".venv", "build"} & set(path.parts) and GENERATED not in path.name)


def names(tree: ast.AST) -> Iterator[str]:
    """Every identifier that a module defines or uses."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name


def words(name: str) -> set[str]:
    """The words of a name in snake or camel case."""
    return {word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}


def crowded(files: Iterator[Path], most: int) -> dict[str, int]:
    counted = Counter(str(path.parent.relative_to(ROOT)) for path in files)
    return {folder: count for folder, count in counted.items() if count > most}


def test_no_folder_of_code_has_more_modules_than_a_reader_can_take_in() -> None:
    assert crowded(modules(*CODE), MOST_MODULES) == {}


def test_no_folder_of_tests_has_more_files_than_a_reader_can_take_in() -> None:
    files = (path for path in (ROOT / "tests").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert crowded(files, MOST_TEST_FILES) == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_is_a_private_word(package: str) -> None:
    found = {}
    for path in modules(package):
        private = {name for name in [path.stem, *names(ast.parse(path.read_text()))] if words(name) & PRIVATE_WORDS}
        if private:
            found[str(path.relative_to(ROOT))] = sorted(private)
    assert found == {}
