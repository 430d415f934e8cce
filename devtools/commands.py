"""Calling programs: one place where a failed call becomes a readable error. No knowledge of what is called."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from devtools.errors import CommandError


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> str:
    """Run a program to its end and return its standard output.

    Raises `CommandError` when it cannot be started, fails, or takes longer than `seconds`.
    """
    words = [str(word) for word in argv]
    shown = " ".join([Path(words[0]).name, *words[1:4]])
    try:
        done = subprocess.run(words, input=stdin, env=env, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed or not on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{shown} ... did not end within {seconds:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CommandError(f"{shown} ... ended with code {done.returncode}: {said}")
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, seconds: float = 30) -> bool:
    """Whether the program exists, ends with code 0 and does so in time."""
    try:
        run(argv, seconds=seconds)
    except CommandError:
        return False
    return True
