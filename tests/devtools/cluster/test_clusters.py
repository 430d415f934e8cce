"""Which cluster is picked, and how kind and the current context are treated, seen through programs that only note calls."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from devtools.cluster import image_archives
from devtools.cluster.clusters import pick
from devtools.cluster.current import CurrentCluster
from devtools.cluster.kind import KindCluster
from devtools.errors import DevtoolsError
from devtools.progress import Steps

QUIET = Steps(Console(file=io.StringIO()))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first on the PATH, and a cache of the test's own."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("MLMODEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("YES", raising=False)
    monkeypatch.delenv("CLUSTER", raising=False)
    monkeypatch.setenv("REGISTRY", "registry.example/team")
    return folder


def _pretend(folder: Path, name: str, answers: str = "") -> None:
    """A program that notes its arguments in a file beside it, and answers with the lines of a shell `case`."""
    program = folder / name
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/{name}.calls\ncase "$*" in\n{answers}\nesac\n')
    program.chmod(0o755)


def _calls(folder: Path, name: str) -> list[str]:
    file = folder / f"{name}.calls"
    return file.read_text().splitlines() if file.exists() else []


def test_kind_is_picked_when_it_can_work(programs: Path) -> None:
    _pretend(programs, "kind")
    _pretend(programs, "docker")
    assert pick().name == "kind"


def test_local_is_picked_when_the_docker_engine_does_not_answer(programs: Path) -> None:
    _pretend(programs, "kind")
    _pretend(programs, "docker", "*) exit 1;;")
    assert pick().name == "local"


def test_an_unknown_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "cloud")
    with pytest.raises(DevtoolsError, match="use local, kind or current"):
        pick()


def test_kind_creates_its_cluster_only_once(programs: Path) -> None:
    _pretend(programs, "docker")
    _pretend(programs, "kubectl")
    _pretend(programs, "kind")
    KindCluster().up(QUIET)
    assert any(call.startswith("create cluster --name mlmodel") for call in _calls(programs, "kind"))

    (programs / "kind.calls").unlink()
    _pretend(programs, "kind", '"get clusters") echo mlmodel;;')
    KindCluster().kubeconfig.write_text("there")
    KindCluster().up(QUIET)
    assert not any(call.startswith("create") for call in _calls(programs, "kind"))


def test_the_current_cluster_needs_a_registry_before_anything_else(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY", raising=False)
    _pretend(programs, "kubectl")
    with pytest.raises(DevtoolsError, match="needs REGISTRY=host/path"):
        CurrentCluster().up(QUIET)
    assert _calls(programs, "kubectl") == []


def test_the_current_cluster_is_not_touched_without_a_yes(programs: Path) -> None:
    _pretend(programs, "kubectl", '"config current-context") echo production;;\n*server*) echo https://prod:6443;;')
    with pytest.raises(DevtoolsError, match="'production' was not touched"):
        CurrentCluster().up(QUIET)
    assert not CurrentCluster().kubeconfig.exists()


def test_the_current_cluster_is_used_as_it_was_when_agreed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YES", "1")
    _pretend(programs, "kubectl", '"config current-context") echo mine;;\n*server*) echo https://x;;\n*--raw*) echo copy;;')
    CurrentCluster().up(QUIET)
    assert CurrentCluster().kubeconfig.read_text() == "copy\n"
    CurrentCluster().down(QUIET)
    assert not any("delete" in call for call in _calls(programs, "kubectl"))


def test_a_single_program_image_is_read_back(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    for archive in ("a.tar", "b.tar"):
        image_archives.write_single_program(tmp_path / archive, "localhost/pause:1", program)
    (image,) = image_archives.read(tmp_path / "a.tar")
    assert image.names == ("localhost/pause:1",)
    assert image_archives.read(tmp_path / "b.tar") == [image], "the same program gives the same image"


def test_a_file_that_is_no_image_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no")
    with pytest.raises(DevtoolsError, match=r"x\.tar is not an image archive"):
        image_archives.read(tmp_path / "x.tar")
