"""Processes are found again by what they carry, started once, and never mistaken for others."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devtools import processes
from devtools.errors import CommandError, ComponentError
from devtools.processes import Component
from devtools.waiting import wait_until

SLEEP = Component("sleep", ("sleep", "600"))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for running in processes.find(tmp_path):
        processes.stop(tmp_path, running, grace=0)


def test_a_component_that_runs_is_not_started_again(state: Path) -> None:
    assert processes.start(state, state, SLEEP)
    assert not processes.start(state, state, SLEEP)
    assert len(processes.find(state)) == 1


def test_a_component_is_started_again_when_its_arguments_or_files_change(state: Path) -> None:
    config = state / "config"
    config.write_text("a")
    component = replace(SLEEP, files=(config,))
    processes.start(state, state, component)
    first = processes.find_component(state, component)
    config.write_text("b")
    assert processes.start(state, state, component)
    second = processes.find_component(state, component)
    assert first is not None
    assert second is not None
    assert first.pid != second.pid


def test_a_process_of_another_cluster_is_not_found(state: Path) -> None:
    processes.start(state, state, SLEEP)
    assert processes.find(state / "other") == []


def test_a_recycled_process_id_is_not_touched(state: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        mistaken = processes.Running(stranger.pid, "sleep", "digest", "sleep")
        processes.stop(state, mistaken)
        assert stranger.poll() is None
        stranger.kill()


def test_a_component_that_ends_by_itself_is_named_with_its_log(state: Path) -> None:
    component = Component("talker", ("sh", "-c", "echo no such luck; exit 3"))
    processes.start(state, state, component)
    wait_until(lambda: not processes.find(state), "it ended", 10)
    with pytest.raises(ComponentError, match=r"talker ended by itself(.|\n)*no such luck"):
        processes.require(state, state, [component])


def test_a_program_that_is_not_there_is_named(state: Path) -> None:
    with pytest.raises(CommandError, match="no-such-program is not installed"):
        processes.start(state, state, Component("x", ("no-such-program",)))
