"""The chi-square tail and the two-sample test that rests on it, held against scipy."""

import math

import numpy as np
import pytest
from mlmodel_contract.report import FeatureKind
from mlmodel_operator.monitoring.chi_square import log_survival
from mlmodel_operator.monitoring.homogeneity import log_p_value
from scipy.stats import binom, chi2, chi2_contingency

from tests.operator.monitoring_reports import normal_slots


@pytest.mark.parametrize("degrees", [1, 2, 3, 7, 36, 63, 500])
def test_tail_agrees_with_scipy_from_the_bulk_to_far_out(degrees: int) -> None:
    for statistic in np.r_[np.geomspace(1e-6, 1e4, 60), degrees, degrees + 2]:
        expected = chi2.logsf(statistic, degrees)
        if math.isfinite(expected) and expected > -600:  # scipy takes the logarithm of an underflowing number beyond
            assert log_survival(float(statistic), degrees) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_tail_never_underflows() -> None:
    assert log_survival(1e6, 3) == pytest.approx(-500_000 + 0.5 * math.log(5e5) - math.lgamma(1.5), abs=0.01)


def test_tail_of_nothing_is_certain() -> None:
    assert log_survival(0.0, 3) == 0.0


@pytest.mark.parametrize(("statistic", "degrees"), [(1.0, 0), (math.nan, 2), (math.inf, 2)])
def test_tail_refuses_what_is_no_statistic(statistic: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="chi-square needs degrees >= 1 and a finite statistic"):
        log_survival(statistic, degrees)


def test_full_slots_give_the_likelihood_ratio_test() -> None:
    reference, live = np.array([400, 300, 200]), np.array([90, 110, 130])
    unadjusted = chi2_contingency([reference, live], lambda_="log-likelihood", correction=False)
    ours = math.exp(log_p_value(reference, live, FeatureKind.CATEGORICAL, 0.0))
    assert unadjusted.pvalue <= ours <= 1.5 * unadjusted.pvalue  # Williams' correction makes it a little larger


@pytest.mark.parametrize("rows", [200, 1_000, 20_000])
def test_p_values_are_uniform_where_nothing_changed(rows: int) -> None:
    random = np.random.default_rng(rows)
    slots = normal_slots()
    logs = np.array(
        [log_p_value(random.multinomial(5_000, slots), random.multinomial(rows, slots), FeatureKind.NUMERIC, 0.0) for _ in range(2_000)]
    )
    for level in (0.5, 0.1, 0.01):
        assert binom.ppf(0.0005, 2_000, level) <= (logs <= math.log(level)).sum() <= binom.ppf(0.9995, 2_000, level)


@pytest.mark.parametrize("live", [[200, 0, 0], [0, 200, 0], [100, 100, 0]], ids=str)
def test_a_constant_that_changes_is_found(live: list[int]) -> None:
    assert log_p_value(np.array([0, 0, 5_000]), np.array(live), FeatureKind.CATEGORICAL, 0.05) < -100


def test_a_constant_that_stays_says_nothing() -> None:
    assert log_p_value(np.array([0, 0, 5_000]), np.array([0, 0, 200]), FeatureKind.CATEGORICAL, 0.0) == 0.0


def test_missing_values_where_there_were_none_are_found() -> None:
    reference, live = np.array([500] * 20 + [0]), np.array([90] * 20 + [200])
    assert log_p_value(reference, live, FeatureKind.NUMERIC, 0.05) < -100


def test_an_empty_sample_says_nothing() -> None:
    assert log_p_value(np.array([10, 20]), np.array([0, 0]), FeatureKind.NUMERIC, 0.0) == 0.0
    assert log_p_value(np.array([0, 0]), np.array([10, 20]), FeatureKind.NUMERIC, 0.0) == 0.0


def test_a_difference_within_the_tolerance_is_not_drift_however_many_rows() -> None:
    millions = 10_000_000 * normal_slots()
    shifted = 10_000_000 * normal_slots(shift=0.04)
    assert log_p_value(millions.astype(int), shifted.astype(int), FeatureKind.NUMERIC, 0.05) > math.log(0.5)
    assert log_p_value(millions.astype(int), shifted.astype(int), FeatureKind.NUMERIC, 0.0) < -1_000
