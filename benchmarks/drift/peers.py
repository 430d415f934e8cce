"""Other detectors on the same streams: each library in an environment of its own, as its documentation installs it.

Not here: what a peer does with a stream (``peer_scripts/``, which the peer's own Python runs).
"""

import json
import subprocess
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.drift import simulated_streams
from benchmarks.drift.detection_delays import REFERENCE
from benchmarks.drift.simulated_streams import Columns, Drift
from benchmarks.table import Row

_SCRIPTS = Path(__file__).parent / "peer_scripts"
_PEERS = {
    "ks_psi": ["numpy", "scipy"],
    "river_adwin": ["river"],
    "tabular_drift": ["alibi-detect"],
    "univariate": ["nannyml", "statsmodels"],
    "data_drift": ["evidently", "pandas<3"],
}
_WINDOW, _WINDOWS = 500, 100
_SHIFT = Drift("mean", 0.25)


def measure(repeats: int) -> list[Row]:
    """Give each peer streams without drift (100 windows of 500 rows) and streams with a shift of 0.25 sd; 4 to 12 of each."""
    number = max(4, min(12, repeats // 2))
    rows: list[Row] = []
    folder = Path(".bench") / "streams"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(number):
        _write(folder / f"{seed}.npz", seed)
    for peer, packages in track(list(_PEERS.items()), "other detectors"):
        rows += _measured(peer, packages, folder, number)
    return rows


def _measured(peer: str, packages: list[str], folder: Path, number: int) -> list[Row]:
    given = [word for package in packages for word in ("--with", package)]
    command = ["uv", "run", "--no-project", "--python", "3.11", *given, "python", str(_SCRIPTS / f"{peer}.py"), str(folder), str(number)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1_800)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        message = str(error.stderr or error).strip()
        return [Row(f"{peer}: not measured", float("nan"), "", beside=message[-120:])]
    rows = []
    for found in json.loads(done.stdout.strip().splitlines()[-1]):
        rows.append(
            Row(
                f"{found['name']}: streams with a false alarm",
                100 * found["false"] / number,
                f"% of {number} streams",
                beside=found["version"],
            )
        )
        true = [delay for delay in found["delays"] if delay is not None]
        delay = float(np.mean(true)) if true else float("inf")
        rows.append(Row(f"{found['name']}: delay at a shift of 0.25 sd", delay, "rows", beside=f"found in {len(true)} of {number}"))
        rows.append(Row(f"{found['name']}: cost", found["nanoseconds"], "ns a value"))
    return rows


def _write(file: Path, seed: int) -> None:
    """Write a reference, a stream without drift, and one that shifts in its middle, as matrices; categories are codes."""
    random = np.random.default_rng(9_000 + seed)
    half = _WINDOW * _WINDOWS // 2
    np.savez(
        file,
        reference=_matrix(simulated_streams.draw(random, REFERENCE)),
        calm=_matrix(simulated_streams.draw(random, _WINDOW * _WINDOWS)),
        after=_matrix(simulated_streams.draw(random, half, _SHIFT)),
        window=np.array([_WINDOW]),
        numbers=np.array([simulated_streams.NUMBERS]),
    )


def _matrix(columns: Columns) -> np.ndarray:
    return np.column_stack([[float(text[1:]) for text in values] if isinstance(values, list) else values for values in columns.values()])
