"""Labels that are late by class: no false harm beyond the stated probability, and labels that come at once are judged at once."""

import pytest

from benchmarks.loop.late_labels import LateLabels, verdicts

pytestmark = pytest.mark.slow


def test_a_calibrated_model_is_not_called_harmful_where_labels_are_late_by_class() -> None:
    found = [verdicts(LateLabels(seed)) for seed in range(8)]
    assert all(any(status.harm == "Confirmed" for status in one.as_they_come) for one in found), "judged as they come, each is"
    assert not any(status.harm == "Confirmed" for one in found for status in one.mature)
    assert all(one.mature[-1].harm == "None" and one.mature[-1].labels > 8_000 for one in found), "and the labels are judged"


def test_labels_that_come_at_once_are_judged_at_once() -> None:
    found = verdicts(LateLabels(0, positives=0.0, negatives=0.0, maturity=7.0, weeks=1))
    assert all(status.harm == "None" for status in found.mature[1:])
    assert all("completeAfter" not in status.message for status in found.mature)
