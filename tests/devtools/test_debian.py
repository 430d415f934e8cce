"""Installing what is missing, with a stand-in for apt-get that refuses, as the real one does, to be run twice at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devtools import debian

APT_GET = """#!/bin/sh
mkdir "{folder}/lock" || exit 100
sleep 0.2
[ "$1" = install ] && touch "{folder}/tool" && echo "$@" >> "{folder}/installed"
rmdir "{folder}/lock"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text(APT_GET.format(folder=tmp_path))
    (programs / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("MLMODEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def test_sessions_that_miss_the_same_program_install_it_once(folder: Path) -> None:
    with ThreadPoolExecutor(3) as sessions:
        list(sessions.map(debian.ensure, [{str(folder / "tool"): "tool-package"}] * 3))
    (installed,) = (folder / "installed").read_text().splitlines()
    assert installed.endswith("tool-package")


def test_what_is_there_needs_no_package_manager(folder: Path) -> None:
    (folder / "tool").touch()
    debian.ensure({str(folder / "tool"): "tool-package"})
    assert not (folder / "installed").exists()
