"""Simulated streams of twenty features of every usual shape, and the drifts that are put into them.

Sixteen numbers share a factor, so that each two are correlated at 0.3, and are bent into skewed, heavy-tailed, rounded, clipped and
two-humped shapes; four categories are balanced, rare, many and long-tailed. Not here: real data (``real_streams.py``), and detection.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from numpy.typing import NDArray

CORRELATION = 0.3
NUMBERS = 16
BALANCED = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
_LONG = 1 / np.arange(1, 41)
_SHARES = [BALANCED, np.array([0.97, 0.03]), np.full(12, 1 / 12), _LONG / _LONG.sum()]

Columns = dict[str, NDArray[np.float64] | list[str]]


@dataclass(frozen=True)
class Drift:
    """A change: its kind (mean, spread, category or correlation) and its size, and the features that it changes."""

    kind: str
    size: float

    @property
    def features(self) -> frozenset[str]:
        """The features whose distribution changes."""
        return {
            "mean": frozenset({"n0"}),
            "offset": frozenset({"n0"}),
            "spread": frozenset({"n0"}),
            "category": frozenset({"c0"}),
            "correlation": frozenset({"n0", "n1"}),
        }[self.kind]

    @property
    def divergence(self) -> float:
        """Kullback-Leibler divergence of a changed row from an unchanged one, in nats, of the changed features alone."""
        if self.kind in ("mean", "offset"):
            return self.size**2 / 2
        if self.kind == "spread":
            return (self.size**2 - 1) / 2 - math.log(self.size)
        if self.kind == "category":
            changed = _moved(self.size)
            return float((changed * np.log(changed / BALANCED)).sum())
        before, after = 1 - CORRELATION**2, 1 - self.size**2
        return (1 - CORRELATION * self.size) / before - 1 + math.log(before / after) / 2


def schema() -> BundleSchema:
    """Return the schema of the streams."""
    columns = [(f"n{index}", ColumnType.NUMBER) for index in range(NUMBERS)] + [
        (f"c{index}", ColumnType.CATEGORY) for index in range(len(_SHARES))
    ]
    features = [SchemaColumn(name=name, type=kind) for name, kind in columns]
    return BundleSchema(task=Task.REGRESSION, features=features, target="t", target_type=ColumnType.NUMBER)


def draw(random: np.random.Generator, rows: int, drift: Drift | None = None) -> Columns:
    """Draw rows, all of them changed where there is a drift."""
    shared = random.standard_normal((rows, 1))
    latent = math.sqrt(CORRELATION) * shared + math.sqrt(1 - CORRELATION) * random.standard_normal((rows, NUMBERS))
    shares = list(_SHARES)
    if drift is not None:
        if drift.kind in ("mean", "offset"):
            latent[:, 0] += drift.size
        elif drift.kind == "spread":
            latent[:, 0] *= drift.size
        elif drift.kind == "correlation":
            latent[:, 1] = drift.size * latent[:, 0] + math.sqrt(1 - drift.size**2) * random.standard_normal(rows)
        elif drift.kind == "category":
            shares[0] = _moved(drift.size)
    columns: Columns = {f"n{index}": values for index, values in enumerate(_bent(latent, random).T)}
    for index, share in enumerate(shares):
        columns[f"c{index}"] = np.array([f"k{code}" for code in range(len(share))], dtype=object)[
            random.choice(len(share), rows, p=share)
        ].tolist()
    return columns


def prediction(columns: Mapping[str, NDArray[np.float64] | list[str]]) -> NDArray[np.float64]:
    """Return what a model of these rows would predict (rows x 1): a number that leans on unchanged features."""
    return np.asarray(columns["n14"], np.float64)[:, None] + np.asarray(columns["n15"], np.float64)[:, None]


def _moved(share: float) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = BALANCED + share * np.array([-1, 0.25, 0.25, 0.25, 0.25])
    return moved


def _bent(latent: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    bent = latent.copy()
    bent[:, 2] = np.exp(latent[:, 2])
    bent[:, 3] = np.exp(1.5 * latent[:, 3])
    bent[:, 4] = np.sinh(1.2 * latent[:, 4])
    bent[:, 5] = np.round(2 * latent[:, 5])
    bent[:, 6] = np.maximum(latent[:, 6], 0)
    bent[:, 7] = np.floor(np.exp(1 + 0.8 * latent[:, 7]))
    bent[:, 8] = latent[:, 8] ** 3
    bent[:, 9] = 4 * (latent[:, 9] > 0) + 0.7 * latent[:, 9]
    bent[:, 10] = np.clip(latent[:, 10], -1, 1)
    bent[random.random(len(bent)) < 0.02, 11] = np.nan
    return bent
