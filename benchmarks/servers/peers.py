"""The HTTP servers, each as its documentation sets it up for speed: one process that serves, on uvloop, without an access log.

Those of uvicorn's own stack run in this environment, from ``benchmarks.serving.echo``; each other one in an environment of its own. Not
here: how long they are measured.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.serving.environments import python_of
from benchmarks.serving.processes import free_port, started, until_answered

ANSWER = b"1" * 400
"""What every server answers: a number of 400 digits, which is JSON."""

_FOLDER = Path(__file__).parent
_SCRIPTS, _REQUIREMENTS = _FOLDER / "peer_scripts", _FOLDER / "requirements"
_ECHO = _FOLDER.parent / "serving/echo.py"

Command = list[str | Path]


@dataclass(frozen=True)
class Server:
    """A server: its name, its command on a port, given the Python of its environment, and that environment; this one where it is None."""

    name: str
    command: Callable[[Path, int], Command]
    environment: str | None = None


@dataclass(frozen=True)
class Running:
    """A server that answers: where, its process, and the seconds from the start of the process to the first answer."""

    url: str
    process: int
    cold_seconds: float


def version(server: Server) -> str:
    """Return the package of a server with its version, as its environment pins it; nothing for what is of this environment."""
    if server.environment is None:
        return ""
    pins = (_REQUIREMENTS / f"{server.environment}.txt").read_text().split()
    return next(pin for pin in pins if pin.startswith(f"{server.environment}=="))


@contextmanager
def running(server: Server, folder: Path, body: bytes) -> Iterator[Running]:
    """Run a server in a new folder until the block ends.

    Raises:
        NotInstalledError: it cannot be brought here.
        RuntimeError: it does not answer as it should.

    """
    folder.mkdir(parents=True)
    python = python_of(server.environment, _REQUIREMENTS) if server.environment else Path(sys.executable)
    port = free_port()
    url, log = f"http://127.0.0.1:{port}/", folder / "server.log"
    settings = {"ANSWER": ANSWER.decode(), "PORT": str(port), "PYTHONPATH": str(_SCRIPTS)}
    with started(server.command(python, port), folder, settings) as process:
        seconds = until_answered(process, url, body, lambda: log.read_text(errors="replace"))
        if (found := httpx.post(url, content=body).content) != ANSWER:
            raise RuntimeError(f"it answered {found[:40]!r}")
        yield Running(url, process.pid, seconds)


def _echo(stack: str) -> Callable[[Path, int], Command]:
    return lambda python, port: [python, _ECHO, stack, str(port), str(len(ANSWER))]


def _script(name: str, *options: str) -> Callable[[Path, int], Command]:
    return lambda python, _port: [python, _SCRIPTS / name, *options]


def _uvicorn(app: str) -> Callable[[Path, int], Command]:
    options = ("--http", "httptools", "--loop", "uvloop", "--ws", "none", "--no-access-log")
    return lambda python, port: [python, "-m", "uvicorn", app, "--port", str(port), *options]


def _granian(interface: str, app: str) -> Callable[[Path, int], Command]:
    options = ("--workers", "1", "--loop", "uvloop", "--http", "1", "--no-ws")
    return lambda python, port: [python.with_name("granian"), "--interface", interface, "--port", str(port), *options, app]


def _hypercorn(python: Path, port: int) -> Command:
    return [python.with_name("hypercorn"), "--worker-class", "uvloop", "--bind", f"127.0.0.1:{port}", "asgi_app:app"]


BARE = Server("bare protocol", _echo("loop"))
SERVERS = (
    Server("uvicorn's protocol class, past ASGI", _echo("class")),
    Server("uvicorn, ASGI", _echo("uvicorn")),
    Server("granian, RSGI", _granian("rsgi", "rsgi_app:app"), "granian"),
    Server("granian, ASGI", _granian("asginl", "asgi_app:app"), "granian"),
    Server("hypercorn, ASGI", _hypercorn, "hypercorn"),
    Server("blacksheep on uvicorn", _uvicorn("blacksheep_app:app"), "blacksheep"),
    Server("falcon on uvicorn", _uvicorn("falcon_app:app"), "falcon"),
    Server("robyn", _script("robyn_app.py", "--processes", "1", "--workers", "1", "--log-level", "WARNING"), "robyn"),
    Server("aiohttp", _script("aiohttp_app.py"), "aiohttp"),
    Server("sanic", _script("sanic_app.py"), "sanic"),
)
