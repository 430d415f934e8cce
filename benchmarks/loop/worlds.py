"""Simulated worlds: rows whose probabilities are known, so that what a version loses in a world is computed and not only observed.

Not here: the streams that are made of them (``streams.py``), and what is measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mlmodel_cli.backtest.result import WentLive
from mlmodel_cli.backtest.server_pod import ServerPod
from mlmodel_contract.quality_metrics import Task
from model_server.train.evaluate.losses import loss
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEFORE, AFTER = np.array([1.5, -1.0, 0.5, 0.0, 0.0, 0.0]), np.array([-1.5, 1.0, 0.5, 0.8, 0.0, 0.0])
"""Weights of the numbers in the log odds, in the first world and in the second."""

_FRESH_ROWS, _SEED = 20_000, 977


def names() -> list[str]:
    """Return the features' names."""
    return [f"x{number}" for number in range(len(BEFORE))]


def probability(values: Floats, weights: Floats) -> Floats:
    """Return each row's probability of the positive class: log odds are linear but for one product.

    Args:
        values: rows x features.
        weights: of the features, for all rows or rows x features.

    """
    odds = (values * weights).sum(axis=1) + 0.7 * values[:, 3] * values[:, 4] - 0.3
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


@dataclass(frozen=True)
class Sample:
    """Fresh rows of a world, with the probability of the positive class in each."""

    columns: Mapping[str, Floats]
    positive: Floats

    def expected_loss(self, predictions: Floats) -> float:
        """Return the mean log loss, in nats, that predictions (rows x 2) of these rows have on average over their truths."""
        ones = np.ones(len(self.positive))
        losses = self.positive * loss(Task.CLASSIFICATION, predictions, ones)
        losses += (1 - self.positive) * loss(Task.CLASSIFICATION, predictions, 0 * ones)
        return float(losses.mean())


def fresh(weights: Floats) -> Sample:
    """Draw rows of the world with these weights, the same ones each time."""
    values = np.random.default_rng(_SEED).standard_normal((_FRESH_ROWS, len(weights)))
    return Sample(dict(zip(names(), np.ascontiguousarray(values.T), strict=True)), probability(values, weights))


@dataclass(frozen=True)
class Serving:
    """A version that has the traffic from a time on, in seconds since 1970, and its expected loss in each world."""

    version: str
    time: float
    losses: tuple[float, ...]


@dataclass(frozen=True)
class ServedLosses:
    """Collects the expected losses of all that serves in a backtest, which calls it whenever another version has the traffic."""

    samples: tuple[Sample, ...]
    serving: list[Serving] = field(default_factory=list)

    def __call__(self, went_live: WentLive, pod: ServerPod) -> None:
        """Take the pod of a version that went live."""
        losses = tuple(sample.expected_loss(_predict(pod.predict, sample)) for sample in self.samples)
        self.serving.append(Serving(went_live.version, went_live.time, losses))

    def loss_at(self, time: float, world: int) -> float:
        """Return the expected loss, in a world, of what serves at a time."""
        return next((one.losses[world] for one in reversed(self.serving) if one.time <= time), float("nan"))


def _predict(predict: Callable[[Any, int], Floats], sample: Sample) -> Floats:
    return predict(sample.columns, len(sample.positive))
