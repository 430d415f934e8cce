import pytest
from mlmodel_contract.status import Phase

from demo.story import Version
from demo.verdict import check_requirements
from demo.worth import Worth
from tests.demo.support.stories import ACCEPTED, CHAMPION_BETTER, day, story, version
from tests.demo.support.worths import worth

LIVE = version("Initial", ACCEPTED, Phase.LIVE)
MISSED = {"verdict": "Rejected", "reason": "CriterionMissed", "message": "roc_auc"}


def met(*days_failed: int, replay: str = "Succeeded", **versions: Version) -> list[bool]:
    days = tuple(day(number, failed=failed) for number, failed in enumerate(days_failed))
    return [requirement.met for requirement in check_requirements(story(days, replay, **versions), worth(0.4))[:3]]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(version("Performance", ACCEPTED, Phase.LIVE), id="promoted"),
        pytest.param(version("Drift", CHAMPION_BETTER, Phase.REJECTED), id="refused as not better"),
        pytest.param(version("Drift", MISSED, Phase.REJECTED), id="refused for a criterion"),
    ],
)
def test_version_that_monitoring_asked_for_and_figures_decided_on_is_what_must_be_shown(second: Version) -> None:
    assert met(0, 0, v1=LIVE, v2=second) == [True, True, True]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(version("Schedule", ACCEPTED, Phase.LIVE), id="asked for by the clock"),
        pytest.param(version("Manual", ACCEPTED, Phase.LIVE), id="asked for by a person"),
        pytest.param(version("Drift", ACCEPTED, Phase.FAILED), id="accepted, but its pods never came up"),
        pytest.param(version("Drift", {**CHAMPION_BETTER, "reason": "ForbiddenType"}, Phase.REJECTED), id="refused, but not on figures"),
    ],
)
def test_other_versions_do_not_show_it(second: Version) -> None:
    assert met(0, v1=LIVE, v2=second) == [True, False, True]


def test_version_that_never_answered_did_not_go_live() -> None:
    assert met(v1=LIVE) == [False, False, False]


def test_one_failed_request_is_too_many() -> None:
    requirement = check_requirements(story((day(0), day(1, failed=1)), v1=LIVE), worth(0.4))[2]
    assert not requirement.met
    assert "1 of 30" in requirement.found
    assert "503" in requirement.found


def test_replay_that_broke_off_shows_nothing_about_requests() -> None:
    assert met(0, 0, replay="Failed", v1=LIVE)[2] is False


@pytest.mark.parametrize(
    ("found", "beaten"),
    [
        pytest.param(worth(0.4, first=0.6, monthly=0.5), [True, True], id="both"),
        pytest.param(worth(0.55, first=0.6, monthly=0.5), [True, False], id="never alone"),
        pytest.param(worth(0.55, first=0.5, monthly=0.6), [False, True], id="the schedule alone"),
        pytest.param(worth(0.5, first=0.5, monthly=0.5), [False, False], id="as good is not better"),
        pytest.param(worth(0.55, monthly=0.5, weeks=9), [True, False], id="weeks enough for two refits"),
        pytest.param(worth(0.55, monthly=0.5, weeks=8), [True, True], id="weeks too few: shown, and not asked"),
        pytest.param(worth(0.4, monthly=None), [True, False], id="no monthly schedule could be fitted"),
    ],
)
def test_what_was_served_has_to_lose_less_than_never_retraining_and_than_a_monthly_schedule(found: Worth, beaten: list[bool]) -> None:
    assert [requirement.met for requirement in check_requirements(story((day(0),), v1=LIVE), found)[3:]] == beaten


def test_schedule_that_is_not_asked_is_told_all_the_same() -> None:
    requirement = check_requirements(story((day(0),), v1=LIVE), worth(0.55, monthly=0.5, weeks=5))[4]
    assert "not asked: 5 weeks" in requirement.wanted
    assert "linear, all rows, every 4 weeks 0.5000" in requirement.found
