"""Two jobs run at the same time, and the failure of one ends what the other waits for."""

import threading
import time

import pytest

from devtools.commands import follow
from devtools.concurrency import run_both
from devtools.errors import CommandError


def test_both_run_at_the_same_time_and_their_results_are_returned() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet(name: str) -> str:
        meeting.wait()
        return name

    assert run_both(lambda: meet("one"), lambda: meet("other")) == ("one", "other")


def test_a_failure_ends_the_program_that_the_other_waits_for() -> None:
    lines: list[str] = []
    started = threading.Event()

    def note(line: str) -> None:
        lines.append(line)
        started.set()

    def fail() -> None:
        started.wait(10)
        raise ValueError("broken")

    begin = time.monotonic()
    with pytest.raises(ValueError, match="broken"):
        run_both(lambda: follow(["sh", "-c", "echo begun; exec sleep 60"], note), fail)
    assert time.monotonic() - begin < 30
    assert lines == ["begun"]


def test_a_followed_program_that_fails_is_named_with_its_last_lines() -> None:
    with pytest.raises(CommandError, match="sh ended with code 3: no such luck"):
        follow(["sh", "-c", "echo no such luck; exit 3"], lambda _: None)
