"""What the plugin of kubectl installs and imports: a few small packages, and for its help almost nothing."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXTRA = {"grpcio", "mlmodel-operator", "mlmodel-server", "onnxruntime", "pandas", "pyarrow", "s3fs", "scikit-learn", "scipy"}
EXTRA_MODULES = {"grpc", "mlmodel_operator", "model_server", "onnxruntime", "pandas", "pyarrow", "s3fs", "sklearn", "scipy"}
SLOW_MODULES = {"kubernetes", "numpy", "pydantic", "requests", "rich", "typer", "urllib3", "yaml"}


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("work", "unwanted"),
    [
        pytest.param("mlmodel_cli.plugin", EXTRA_MODULES | SLOW_MODULES, id="help of the plugin"),
        pytest.param("mlmodel_cli.drift", EXTRA_MODULES | SLOW_MODULES, id="help of the replay"),
        pytest.param("mlmodel_cli.cluster, mlmodel_cli.render, mlmodel_cli.version_view", EXTRA_MODULES, id="drift"),
        pytest.param("mlmodel_cli.explanation, mlmodel_cli.render_explanation", EXTRA_MODULES, id="explain"),
    ],
)
def test_libraries_that_are_not_used_are_not_imported(work: str, unwanted: set[str]) -> None:
    done = run(f"import sys, {work}; print(sorted({unwanted} & sys.modules.keys()))")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("words", [["--help"], ["drift", "--help"], ["drift"]], ids=["help", "help of a command", "usage error"])
def test_help_imports_nothing_slow(words: list[str]) -> None:
    probe = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('imported', sorted({EXTRA_MODULES | SLOW_MODULES} & sys.modules.keys())))\n"
        "from mlmodel_cli.plugin import main; main()"
    )
    assert run(probe, *words).stdout.splitlines()[-1] == "imported []"


def test_the_plugin_installs_without_what_only_a_replay_needs() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    assert not EXTRA & closure(locked, "mlmodel-cli")
    assert closure(locked, "mlmodel-cli", "replay") >= EXTRA


def closure(locked: list[dict[str, Any]], name: str, *extras: str) -> set[str]:
    """Return the names of all packages that the lock installs for one of them, on any platform."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for package in locked:
        by_name.setdefault(package["name"], []).append(package)
    waiting, done = [(name, extra) for extra in ("", *extras)], set[tuple[str, str]]()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        for package in by_name[name]:
            needed = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
            waiting += [(one["name"], wanted) for one in needed for wanted in ("", *one.get("extra", []))]
    return {name for name, _ in done}


def test_a_replay_without_its_extra_names_the_remedy(tmp_path: Path) -> None:
    code = "import sys; sys.modules['mlmodel_operator'] = None; from mlmodel_cli.drift import app; app()"
    done = run(code, "replay", "--reference", str(tmp_path / "a.csv"), "--live", str(tmp_path / "b.csv"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs the package mlmodel_operator, which is not installed: pip install 'mlmodel-cli[replay]'" in done.stderr
