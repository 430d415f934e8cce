"""The search for slots, which must be that of numpy to the bit, whatever the numbers and wherever the edges lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server.binning.edge_search import EdgeSearch, FeatureBins, bucket_ends, previous_bucket_end
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NUMBERS = st.floats(-1e300, 1e300) | st.integers(-5, 5).map(float) | st.floats(-1e-300, 1e-300) | st.floats(999_990, 1_000_010)
EDGES = st.lists(NUMBERS, max_size=12).map(lambda values: np.unique(np.array(values, np.float64)))
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 5e-324, -5e-324, 1e308, -1e308]


def by_numpy(bins: list[FeatureBins], numbers: Floats) -> list[list[int]]:
    """The slots, by numpy."""
    return [
        (feature.start + np.where(np.isnan(values), len(feature.edges) + 1, np.searchsorted(feature.edges, values, side="left"))).tolist()
        for feature, values in zip(bins, numbers, strict=True)
    ]


def bins_of(features: list[tuple[float, Floats]]) -> tuple[list[FeatureBins], int]:
    starts = np.cumsum([0, *(len(edges) + 2 for _, edges in features)]).tolist()
    return [FeatureBins(center, edges, start) for (center, edges), start in zip(features, starts, strict=False)], starts[-1]


def near(edges: Floats) -> list[float]:
    """The edges, what lies next to them, and odd numbers."""
    with np.errstate(over="ignore"):
        return [*edges, *np.nextafter(edges, np.inf), *np.nextafter(edges, -np.inf), *ODD]


@settings(max_examples=200)
@given(st.lists(st.tuples(NUMBERS, EDGES), min_size=1, max_size=3), st.lists(NUMBERS, max_size=20), st.booleans())
def test_slots_are_those_of_a_search(features: list[tuple[float, Floats]], more: list[float], at_ends: bool) -> None:
    if at_ends:
        features = [(center, np.unique(bucket_ends(edges, center))) for center, edges in features]
    bins, slots = bins_of(features)
    numbers = np.array([*more, *(number for _, edges in features for number in near(edges))])
    numbers = np.tile(numbers, (len(bins), 1))
    assert EdgeSearch(bins, slots).searchsorted(numbers).tolist() == by_numpy(bins, numbers)


@pytest.mark.parametrize("features", [65, 300, 3_000])
def test_a_wide_model_has_wider_buckets_and_the_same_slots(features: int) -> None:
    random = np.random.default_rng(0)
    bins, slots = bins_of([(0.1, np.unique(random.normal(0, 1, 4))) for _ in range(features)])
    numbers = random.choice(np.array([*random.normal(0, 1, 20), *near(bins[0].edges)]), (features, 30))
    assert EdgeSearch(bins, slots).searchsorted(numbers).tolist() == by_numpy(bins, numbers)


def test_no_features_and_no_rows() -> None:
    assert EdgeSearch([], 0).searchsorted(np.empty((0, 5))).shape == (0, 5)
    assert EdgeSearch([FeatureBins(0.0, np.array([1.0]), 0)], 3).searchsorted(np.empty((1, 0))).shape == (1, 0)


MODERATE = st.floats(-1e30, 1e30)


@given(MODERATE, MODERATE)
def test_a_bucket_ends_at_or_after_its_numbers_and_the_one_below_before(number: float, center: float) -> None:
    end, below = bucket_ends(np.array([number]), center)[0], previous_bucket_end(number, center)
    assert below < number <= end
    assert bucket_ends(np.array([end, below]), center).tolist() == [end, below]
    assert bucket_ends(np.nextafter(np.array([below]), np.inf), center)[0] == end
