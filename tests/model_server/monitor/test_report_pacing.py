"""When a pod reports soon: rows or labels that look unusual, and the first of all."""

from collections.abc import Callable

import numpy as np
import pytest
from mlmodel_contract.bundle import FeatureProfile, Profile
from mlmodel_contract.report import MICRO, PREDICTION, FeatureKind, LabelCounts, LossReference
from model_server.monitor.report_pacing import CountSnapshot, should_report_early

RANDOM = np.random.default_rng(0)
SLOTS = np.r_[[1 / 32] * 32, 0.0]
CARRIERS = np.array([0.5, 0.3, 0.15, 0.04, 0.01, 0.0])
KINDS = [FeatureKind.NUMERIC] * 10 + [FeatureKind.CATEGORICAL, FeatureKind.NUMERIC]
NAMES = [*(f"x{place}" for place in range(10)), "carrier", PREDICTION]
SHARES = [*[SLOTS] * 10, CARRIERS, SLOTS]


def profile(effect: float = 1.0, design_effect: float = 1.0) -> Profile:
    features = [
        FeatureProfile(name=name, kind=kind, counts=RANDOM.multinomial(10_000, shares).tolist(), effect=effect)
        for name, kind, shares in zip(NAMES, KINDS, SHARES, strict=True)
    ]
    return Profile(rows=10_000, features=features, loss=LossReference(rows=2_000, mean=0.5, variance=0.25, design_effect=design_effect))


PROFILE = profile()


def labels(rows: int, mean: float) -> LabelCounts:
    return LabelCounts(rows=rows, loss=round(rows * mean * MICRO), loss_squared=round(rows * MICRO))


def counted(rows: int, outside: int = 0, labelled: LabelCounts | None = None, **changed: np.ndarray) -> CountSnapshot:
    """Rows of the training distribution, but for the features that are named with other shares."""
    features = [RANDOM.multinomial(rows, changed.get(name, shares)).tolist() for name, shares in zip(NAMES, SHARES, strict=True)]
    return CountSnapshot(features, [outside, *[0] * (len(NAMES) - 1)], labelled or LabelCounts())


def both(one: CountSnapshot, other: CountSnapshot) -> CountSnapshot:
    features = [(np.array(a) + b).tolist() for a, b in zip(one.features, other.features, strict=True)]
    rows, loss = one.labels.rows + other.labels.rows, one.labels.loss + other.labels.loss
    outside = [a + b for a, b in zip(one.outside, other.outside, strict=True)]
    return CountSnapshot(features, outside, LabelCounts(rows=rows, loss=loss))


BEFORE = counted(5_000, labelled=labels(500, 0.5))


@pytest.mark.parametrize("rows", [1, 24, 25, 100, 1_000, 30_000])
def test_rows_like_the_training_rows_are_hardly_ever_unusual(rows: int) -> None:
    found = sum(should_report_early(PROFILE, both(BEFORE, counted(rows, labelled=labels(rows, 0.5))), BEFORE) for _ in range(100))
    assert found <= 3


def tilted(shares: np.ndarray, by: float) -> np.ndarray:
    """Shares of a number that moved towards the high slots."""
    moved = shares * np.exp(by * np.linspace(-1, 1, len(shares)))
    return np.asarray(moved / moved.sum())


@pytest.mark.parametrize(
    "strange",
    [
        lambda: counted(500, x3=tilted(SLOTS, 1.0)),
        lambda: counted(200, x0=np.r_[np.zeros(32), 1.0]),
        lambda: counted(200, x0=np.r_[1.0, np.zeros(32)]),
        lambda: counted(200, carrier=np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.5])),
        lambda: counted(200, prediction=tilted(SLOTS, 2.0)),
        lambda: counted(200, outside=60),
        lambda: counted(0, labelled=labels(100, 0.9)),
    ],
    ids=["moved", "missing", "constant", "other shares", "predictions", "out of range", "loss"],
)
def test_what_is_unlike_the_training_rows_is(strange: Callable[[], CountSnapshot]) -> None:
    assert should_report_early(PROFILE, both(BEFORE, strange()), BEFORE)


@pytest.mark.parametrize("first", [counted(1), counted(0, labelled=labels(1, 0.1))], ids=["row", "label"])
def test_the_first_of_all_is_reported_soon(first: CountSnapshot) -> None:
    assert should_report_early(PROFILE, first, counted(0))
    assert not should_report_early(PROFILE, first, first)


def test_dependent_rows_and_labels_weigh_less() -> None:
    dependent = profile(effect=50.0, design_effect=50.0)
    strange = both(BEFORE, counted(500, labelled=labels(100, 0.8), x3=tilted(SLOTS, 1.0)))
    assert should_report_early(PROFILE, strange, BEFORE)
    assert not should_report_early(dependent, strange, BEFORE)


def test_nothing_is_unusual_for_a_profile_of_nothing() -> None:
    blank = Profile(
        rows=0,
        features=[FeatureProfile(name=PREDICTION, kind=FeatureKind.NUMERIC, counts=[0, 0])],
        loss=LossReference(rows=0, mean=0, variance=0),
    )
    one, two = CountSnapshot([[50, 0]], [0], LabelCounts()), CountSnapshot([[90, 0]], [0], labels(50, 9.0))
    assert not should_report_early(blank, two, CountSnapshot([[50, 0]], [0], labels(1, 0.0)))
    assert not should_report_early(blank, one, one)
