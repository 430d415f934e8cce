"""An image has a new name exactly when something that goes into it has changed."""

from pathlib import Path

import pytest

from devtools.errors import DevtoolsError
from devtools.images import names

OPERATOR = names.IMAGES["operator"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree with one module of the operator and one of the model server."""
    for name in ("Dockerfile", ".dockerignore", "uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    for member, package in (
        ("contract", "mlmodel_contract"),
        ("detection", "mlmodel_detection"),
        ("operator", "mlmodel_operator"),
        ("model_server", "model_server"),
    ):
        (tmp_path / member / package).mkdir(parents=True)
        (tmp_path / member / "pyproject.toml").write_text(member)
        (tmp_path / member / package / "__init__.py").write_text(package)
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli/pyproject.toml").write_text("cli")
    monkeypatch.setattr(names, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("changed", ["operator/mlmodel_operator/new.py", "contract/mlmodel_contract/__init__.py", "uv.lock", "Dockerfile"])
def test_a_change_of_what_goes_in_changes_the_name(tree: Path, changed: str) -> None:
    before = names.content_hash(OPERATOR, "base")
    (tree / changed).write_text("changed")
    assert names.content_hash(OPERATOR, "base") != before


@pytest.mark.parametrize("changed", ["model_server/model_server/__init__.py", "operator/mlmodel_operator/__pycache__/x.pyc", "README.md"])
def test_a_change_of_what_does_not_go_in_does_not(tree: Path, changed: str) -> None:
    before = names.content_hash(OPERATOR, "base")
    (tree / changed).parent.mkdir(exist_ok=True)
    (tree / changed).write_text("changed")
    assert names.content_hash(OPERATOR, "base") == before


@pytest.mark.usefixtures("tree")
def test_another_base_makes_another_image() -> None:
    assert names.content_hash(OPERATOR, "one") != names.content_hash(OPERATOR, "two")


def test_an_unknown_target_is_refused_by_name() -> None:
    with pytest.raises(DevtoolsError, match="there is no image 'trainer': choose one of operator, model-server"):
        names.image("trainer")
