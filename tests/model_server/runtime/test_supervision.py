"""A process that is supervised: it comes back when it is killed, is ended, and its refusal at the start is passed on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devtools.pods import DEADLINE_SECONDS, poll

pytestmark = pytest.mark.slow

_PROGRAM = """
import os, sys, time
from pathlib import Path
from model_server.runtime.supervision import RestartPolicy, supervise

def work():
    with Path(sys.argv[1]).open("a") as lives:
        lives.write(f"{{os.getpid()}}\\n")
    {work}

sys.exit(supervise(work, RestartPolicy(stable_after={stable_after}, initial_delay=0.05, max_delay=0.1)))
"""


@contextmanager
def supervised(lives: Path, work: str, stable_after: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """Supervise the work, a line of Python; each of its lives writes its pid to the file."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(work=work, stable_after=stable_after), str(lives)], stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            for pid in pids(lives):
                _kill(pid)


def pids(lives: Path) -> list[int]:
    return [int(line) for line in lives.read_text().splitlines()] if lives.exists() else []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _lived(lives: Path, times: int) -> Callable[[], bool]:
    return lambda: len(pids(lives)) >= times


def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    with supervised(lives, "time.sleep(60)") as process:
        for times in (1, 2, 3):
            poll(_lived(lives, times), f"life {times}")
            _kill(pids(lives)[-1])
        poll(_lived(lives, 4), "life 4")
        assert process.poll() is None


@pytest.mark.parametrize(("work", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137)])
def test_a_death_before_any_life_was_stable_is_passed_on(tmp_path: Path, work: str, code: int) -> None:
    with supervised(tmp_path / "lives", work, stable_after=60) as process:
        assert process.wait(DEADLINE_SECONDS) == code
    assert len(pids(tmp_path / "lives")) == 1


def test_the_end_is_passed_on(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    work = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('ready', flush=True); time.sleep(60)"
    with supervised(lives, work) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 7
    assert len(pids(lives)) == 1


def test_it_ends_in_the_pause_between_two_lives(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    with supervised(lives, "sys.exit(1)") as process:
        poll(_lived(lives, 3), "life 3")
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) in (0, 1)
