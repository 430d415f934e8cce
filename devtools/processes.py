"""Processes that outlive the command that started them, found again without a list of process ids.

Each carries its cluster, its name and a digest of how it was started in its environment, where the kernel keeps it. So
a kill between a start and a note of it loses nothing, and a recycled process id is never taken for ours. Signals go
through a pidfd that is opened before the environment is read. What the processes are is not known here.
"""

import hashlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from devtools.errors import CommandError, ComponentError, DevtoolsError
from devtools.waiting import wait_until

_CLUSTER, _NAME, _DIGEST = "MLMODEL_CLUSTER", "MLMODEL_COMPONENT", "MLMODEL_COMPONENT_DIGEST"
_LOG_LIMIT = 10 * 2**20
_GRACE_SECONDS = 10.0
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Component:
    """A process that should run.

    `files` are those it reads at its start only: it is started again when one of them changed. `environment` is added
    to the little that is passed on. With `dies_with_parent` it ends when this process does, even by SIGKILL.
    """

    name: str
    argv: Sequence[str | Path]
    files: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    dies_with_parent: bool = False

    def digest(self) -> str:
        """Changes when the component has to be started again to be as it should be."""
        parts = [str(word).encode() for word in self.argv]
        parts += [f"{key}={value}".encode() for key, value in sorted(self.environment.items())]
        parts += [path.read_bytes() for path in self.files]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@dataclass(frozen=True)
class Running:
    """A process of a cluster that was found running."""

    pid: int
    name: str
    digest: str
    program: str


def _environment(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty for zombies, strangers and the dead."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.decode(errors="replace").partition("=") for entry in raw.split(b"\0") if entry)
    return {key: value for key, _, value in pairs}


def _running_component(pid: int, cluster: Path) -> Running | None:
    environment = _environment(pid)
    if environment.get(_CLUSTER) != str(cluster):
        return None
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return None
    return Running(pid, environment.get(_NAME, ""), environment.get(_DIGEST, ""), Path(program).name)


def find(cluster: Path) -> list[Running]:
    """All live processes that belong to the cluster with this state folder, helpers of its components included."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = (_running_component(pid, cluster) for pid in pids if pid != os.getpid())
    return [running for running in found if running is not None]


def find_component(cluster: Path, component: Component) -> Running | None:
    """The live process of `component`; not a child that inherited its environment."""
    program = Path(component.argv[0]).name
    matching = (one for one in find(cluster) if one.name == component.name and one.program == program)
    return next(matching, None)


def _signal_and_wait(descriptor: int, number: signal.Signals, seconds: float) -> bool:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return bool(ready)


def stop(cluster: Path, running: Running, grace: float = _GRACE_SECONDS) -> None:
    """End the process: SIGTERM, and SIGKILL after `grace` seconds (at once when 0). A stranger is never touched."""
    try:
        descriptor = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return
    try:
        if _running_component(running.pid, cluster) != running:
            return
        if grace and _signal_and_wait(descriptor, signal.SIGTERM, grace):
            return
        if not _signal_and_wait(descriptor, signal.SIGKILL, _GRACE_SECONDS):
            raise DevtoolsError(f"{running.name} (process {running.pid}) does not end, even when killed")
    finally:
        os.close(descriptor)


def kill(pid: int) -> None:
    """Kill a process whose id was read from where only running ones are listed, such as a cgroup of ours."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def log_path(logs: Path, name: str) -> Path:
    """The file that the component of that name prints to."""
    return logs / f"{name}.log"


def log_tail(logs: Path, name: str, lines: int = 15) -> str:
    """The end of a component's log, for a message."""
    try:
        text = log_path(logs, name).read_text(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])


def _open_log(logs: Path, name: str) -> int:
    path = log_path(logs, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.rename(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _spawn(cluster: Path, logs: Path, component: Component) -> "subprocess.Popen[bytes]":
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    environment |= component.environment
    environment |= {_CLUSTER: str(cluster), _NAME: component.name, _DIGEST: component.digest()}
    words = [str(word) for word in component.argv]
    if component.dies_with_parent:
        words = ["setpriv", "--pdeathsig", "KILL", *words]
    log = _open_log(logs, component.name)
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(words, env=environment, cwd=cluster, stdin=nothing, stdout=log, stderr=log, start_new_session=True)
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed or not on the PATH") from error
    finally:
        os.close(log)


def start(cluster: Path, logs: Path, component: Component) -> bool:
    """Let `component` run as it should: start it when it does not, start it again when it runs as it should not.

    It gets a session of its own and so survives the terminal. Returns whether it had to be started.
    """
    running = find_component(cluster, component)
    if running is not None:
        if running.digest == component.digest():
            return False
        stop(cluster, running)
    started = _spawn(cluster, logs, component)

    def is_found() -> bool:
        """While the kernel replaces the program, its environment cannot be read for a moment."""
        return started.poll() is not None or find_component(cluster, component) is not None

    wait_until(is_found, f"{component.name} starts", 10, pause=0.005)
    return True


def require(cluster: Path, logs: Path, components: Sequence[Component]) -> None:
    """Raise `ComponentError` with the end of its log when one of the components is not running."""
    alive = {running.name for running in find(cluster)}
    for component in components:
        if component.name not in alive:
            tail = log_tail(logs, component.name)
            raise ComponentError(f"{component.name} ended by itself; the end of {log_path(logs, component.name)}:\n{tail}")
