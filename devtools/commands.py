"""Calling programs: one place where a failed call becomes a readable error. No knowledge of what is called."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devtools.errors import CommandError

_followed: set["subprocess.Popen[str]"] = set()


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
        output = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CommandError(f"{shown} ... ended with code {done.returncode}: {output}")
    return done.stdout


def follow(
    argv: Sequence[str | Path], on_line: Callable[[str], None], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end, however long it takes, and pass on each line that it prints.

    Raises `CommandError` with its last lines when it cannot be started or fails.
    """
    words = [str(word) for word in argv]
    lines: list[str] = []
    try:
        process = subprocess.Popen(words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed or not on the PATH") from error
    _followed.add(process)
    try:
        with process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                on_line(lines[-1])
    finally:
        _followed.discard(process)
    if process.returncode != 0:
        raise CommandError(f"{words[0]} ended with code {process.returncode}: " + "\n".join(lines[-20:]))


def end_followed() -> None:
    """End the programs that other threads follow now, so that those threads do not go on for minutes."""
    for process in list(_followed):
        process.terminate()


def succeeds(argv: Sequence[str | Path], *, seconds: float = 30) -> bool:
    """Whether the program exists, ends with code 0 and does so in time."""
    try:
        run(argv, seconds=seconds)
    except CommandError:
        return False
    return True
