"""The documents hold what they promise: short lines, links and paths that exist, and a map of rooms that names every module."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("[!.]*/README.md"), *ROOT.glob("docs/**/*.md")})
CODE = ["contract", "detection", "operator", "model_server", "cli", "devtools", "demo", "benchmarks", "examples", "charts", "tests"]
MAPPED = ["contract/mlmodel_contract", "detection/mlmodel_detection", "operator/mlmodel_operator", "model_server/model_server"]
MAPPED += ["cli/mlmodel_cli", "devtools"]
LONGEST = 140

document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor of each relative link."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if "://" not in target and not target.startswith("mailto:"):
            file, _, anchor = target.partition("#")
            yield (path.parent / file if file else path), anchor


def exists(name: str) -> bool:
    """Return whether a path, or a pattern of paths, exists below the root."""
    return any(True for _ in ROOT.glob(name.rstrip("/")))


@cache
def code_files() -> list[str]:
    """Return the paths of all files of Python, below the root."""
    return [f"/{file.relative_to(ROOT)}" for root in CODE for file in (ROOT / root).rglob("*.py")]


def modules(package: Path) -> set[str]:
    return {file.stem for file in package.glob("*.py") if file.name != "__init__.py"}


def mapped_rooms() -> dict[str, set[str]]:
    """Return the modules that the map in docs/architecture.md names, by package."""
    rooms = {}
    for name, text in re.findall(
        r"^### (\S+/?\S*)\n(.*?)(?=^##|\Z)", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE | re.DOTALL
    ):
        rooms[name] = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    return rooms


def packages() -> list[Path]:
    found = (file.parent for root in MAPPED for file in (ROOT / root).rglob("__init__.py"))
    return sorted(package for package in found if modules(package) - {"open_inference_pb2"})


@document
def test_no_line_is_too_long(document: Path) -> None:
    lines = document.read_text().splitlines()
    assert [f"line {number}: {len(line)}" for number, line in enumerate(lines, 1) if len(line) > LONGEST] == []


@document
def test_links_lead_to_files_and_headings(document: Path) -> None:
    wrong = []
    for file, anchor in links(document):
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(f"{file}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_paths_of_the_repository_exist(document: Path) -> None:
    text = document.read_text()
    top = "|".join(re.escape(path.name) for path in ROOT.iterdir() if path.is_dir())
    paths = {name.rstrip("./") for name in re.findall(rf"(?<![\w/.:-])((?:{top})/[\w./*-]*)", text)}
    assert {name for name in paths if not exists(name)} == set()
    files = {name for name in re.findall(r"`([\w./-]+\.py)`", text) if name not in paths}
    assert {name for name in files if not any(path.endswith(f"/{name}") for path in code_files())} == set()


def test_the_map_of_rooms_names_every_package() -> None:
    rooms = mapped_rooms()
    assert [str(package.relative_to(ROOT)) for package in packages() if str(package.relative_to(ROOT)) not in rooms] == []


@pytest.mark.parametrize("package", packages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_map_of_rooms_names_every_module(package: Path) -> None:
    assert mapped_rooms().get(str(package.relative_to(ROOT))) == modules(package)


def test_documents_that_code_names_exist() -> None:
    named = set()
    for root in CODE:
        for file in (*(ROOT / root).rglob("*.py"), *(ROOT / root).rglob("*.yaml")):
            named |= set(re.findall(r"\bdocs/[\w-]+\.md(?:#[\w-]+)?", file.read_text(errors="replace")))
    assert named
    for name in named:
        file, _, anchor = name.partition("#")
        assert (ROOT / file).is_file(), name
        assert not anchor or anchor in anchors(ROOT / file), name


def test_modules_that_code_names_exist() -> None:
    """A docstring that says where something else is done must lead there."""
    lost = {}
    for root in CODE:
        for file in (ROOT / root).rglob("*.py"):
            named = set(re.findall(r"``([a-z_0-9/]+\.py)``", file.read_text()))
            missing = {name for name in named if not any(path.endswith(f"/{name}") for path in code_files())}
            if missing:
                lost[str(file.relative_to(ROOT))] = missing
    assert lost == {}
