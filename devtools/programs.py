"""Builds the Go programs of cluster and tests, once a machine, into a cache that is keyed by what they are built from.

Only the modules below `go_programs/` are built, nothing is downloaded but Go modules. Starting programs is not done here. Programs of one
module share the packages that are compiled already, in Go's own build cache: the flags of the compiler must stay the same for all of them.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from devtools.cache import cache_folder
from devtools.commands import follow, run
from devtools.errors import CommandError, DevtoolsError
from devtools.files import locked

_MODULES = Path(__file__).parent / "go_programs"
_LEAST_GO = (1, 26)
_COMPILER_FLAGS = "all=-dwarf=false"  # debuggers read DWARF; to make it takes a tenth of the time, and the linker drops it
_MIB = 2**20
_HEAP_MIB = 3072  # more than the largest package needs


@dataclass(frozen=True)
class Program:
    """A Go program: the module below `go_programs/` and its package to build, further names it answers to, and build tags.

    Packages that are built `beside` it land in the same folder, under the last part of their path.
    """

    name: str
    module: str
    package: str
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        """The folder of the module."""
        return _MODULES / self.module


PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "kubernetes",
            "cluster",
            "./kubernetes",
            aliases=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
        ),
        Program("coredns", "cluster", "./coredns"),
        Program("pause", "cluster", "./pause"),
        Program("metrics-server", "metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
        Program("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
        Program("versitygw", "versitygw", "github.com/versity/versitygw/cmd/versitygw"),
        Program(  # without the clients of every cloud, which take longer to compile than the rest
            "prometheus",
            "prometheus",
            "github.com/prometheus/prometheus/cmd/prometheus",
            tags=("remove_all_sd",),
            beside=("github.com/prometheus/prometheus/cmd/promtool",),
        ),
    )
}


def linker_flags(program: Program) -> str:
    """Return the linker's flags; the kubernetes program gets its version.

    Without it the API server would call itself v0.0.0-master, and charts with a `kubeVersion` refuse it.
    """
    if program.name != "kubernetes":
        return "-s -w"
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)", (program.source / "go.mod").read_text())
    if found is None:
        raise DevtoolsError(f"{program.source / 'go.mod'} requires no k8s.io/kubernetes: restore the file")
    version, major, minor = found.groups()
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())


@cache
def _go_version(source: Path) -> str:
    """Return the toolchain that would build `source` (Go may fetch a newer one than is installed)."""
    wanted = ".".join(str(number) for number in _LEAST_GO)
    remedy = f"install Go {wanted} or later (https://go.dev/doc/install) and put it on the PATH"
    try:
        version = run(["go", "-C", source, "env", "GOVERSION"]).strip()
    except CommandError as error:
        raise DevtoolsError(f"the cluster's programs are built with Go: {remedy} ({error})") from error
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < _LEAST_GO:
        raise DevtoolsError(f"Go {version} is too old to build the cluster's programs: {remedy}")
    return version


def _key(program: Program) -> str:
    """Changes whenever another build could come out differently."""
    digest = hashlib.sha256()
    for path in sorted([*program.source.glob("go.*"), *(program.source / program.package).glob("*.go")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    parts = (_go_version(program.source), program.package, _COMPILER_FLAGS, linker_flags(program))
    digest.update("\0".join((*parts, *program.aliases, *program.tags, *program.beside)).encode())
    return digest.hexdigest()[:16]


def _heap_limit() -> str:
    """The heap that each process of the compiler may grow to before it collects garbage: all of them fit into half of the memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB
    return f"{min(_HEAP_MIB, memory // (2 * (os.cpu_count() or 1)))}MiB"


def _compile(program: Program, folder: Path, report: Callable[[str], None]) -> None:
    flags = ["-trimpath", "-tags", ",".join(program.tags), "-gcflags", _COMPILER_FLAGS, "-ldflags", linker_flags(program)]
    target = f"{folder}/" if program.beside else str(folder / program.name)  # a folder takes each program under its own name
    command = ["go", "-C", str(program.source), "build", "-v", *flags, "-o", target, program.package, *program.beside]
    # The compiler's processes are short: to collect their garbage takes a quarter of the time.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOGC": "off", "GOMEMLIMIT": _heap_limit()}
    compiled = 0

    def count(line: str) -> None:
        nonlocal compiled
        compiled += " " not in line  # the name of a package; other lines are sentences
        report(f"{compiled} packages compiled, now {line[-60:]}")

    try:
        follow(command, count, env=environment)
    except CommandError as error:
        raise DevtoolsError(f"building {program.name} in {program.source} failed: {error}") from error


def ensure(name: str, report: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder that holds the program `name` and its aliases; build it when it is not there yet.

    A build goes to a temporary folder that is renamed when whole, under a lock: a kill leaves no half program, and two
    sessions do not build the same twice. `report` gets what the build is at. Raises `DevtoolsError`.
    """
    program = PROGRAMS[name]
    programs = cache_folder() / "bin"
    folder = programs / f"{name}-{_key(program)}"
    if folder.is_dir():
        return folder
    with locked(programs / f"{name}.lock", lambda: report("another session builds it, waiting")):
        if folder.is_dir():
            return folder
        for leftover in programs.glob(f".{name}-*"):  # of a build that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=programs))
        try:
            _compile(program, temporary, report)
            for alias in program.aliases:
                (temporary / alias).symlink_to(name)
            temporary.chmod(0o755)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def executable(name: str, alias: str | None = None, report: Callable[[str], None] = lambda _: None) -> Path:
    """The path of the program `name`, or of one of its aliases, built when needed."""
    return ensure(name, report) / (alias or name)
