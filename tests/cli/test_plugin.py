"""`kubectl mlmodel drift` as a user runs it, against the stand-in for the API; what the objects say is the operator's own word."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlmodel_cli.plugin import app
from mlmodel_operator.cluster.kinds import ML_MODEL, MODEL_VERSION, MONITOR_REPORT

from tests.cli.support.api_server import ApiServer, serving, write_kubeconfig
from tests.cli.support.screen import Screen
from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import Body
from tests.operator.support.model_lifecycle import ModelLifecycle

NOTHING_LISTENS = "http://127.0.0.1:9"
DRIFTED = LiveRows(4_000, shifted=True, labels=800, due=1_000)
NAMES = ["<= 100", "> 100", "missing"]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    story = ModelLifecycle()
    story.go_live()
    server = ApiServer(story.api)
    with serving(server, tmp_path) as kubeconfig:
        yield Screen(server, kubeconfig, story)


def add_slot_names(body: Body) -> None:
    """Give the slots of a report their names, as a sidecar does."""
    for feature in body["spec"]["features"]:
        feature["slots"] = NAMES


def test_a_healthy_model_is_described_in_a_sentence(screen: Screen) -> None:
    screen.story.reports("late-v1", LiveRows(2_000, labels=800, due=1_000))
    shown = screen.shown("drift", "late")
    assert shown.startswith("late-v1 of late, live\nNo drift")
    assert "Labels: 800 came back of 1,000 rows that are due (80%)" in shown
    assert "No feature is blamed; --all shows" in shown
    assert "roc_auc >= 0.7" in shown


def test_a_drifted_model_is_shown_with_the_feature_to_blame_and_its_rows(screen: Screen) -> None:
    screen.story.reports("late-v1", DRIFTED)
    screen.story.api.change(MONITOR_REPORT, "late-v1-0", add_slot_names)
    shown = screen.shown("drift", "late")
    assert "Drifted, no harm seen" in shown
    assert "distance" in shown
    assert "e^" in shown
    lines = shown.splitlines()
    assert any(line.startswith("  reference") for line in lines)
    assert any(line.startswith("  live") for line in lines)
    assert "slot 1 (<= 100) 50.0% to 10.0%" in shown


def test_harm_and_a_broken_feed_are_reported(screen: Screen) -> None:
    screen.story.reports("late-v1", LiveRows(4_000, shifted=True, labels=800, loss=2.0, due=1_000))
    assert "Drifted and harmful" in screen.shown("drift", "late")
    screen.story.reports("late-v1", LiveRows(8_000, shifted=True, missing=4_000, labels=800, loss=2.0, due=1_000), sequence=2)
    assert "distance is missing" in screen.shown("drift", "late")


def test_all_features_or_one_of_them_are_shown_when_asked_for(screen: Screen) -> None:
    screen.story.reports("late-v1", LiveRows(2_000))
    assert "prediction" in screen.shown("drift", "late", "--all")
    one = screen.shown("drift", "late", "--feature", "distance")
    assert "distance" in one
    assert "prediction" not in one
    assert "slot 1" in one, "reports that lack names are read by number"
    code, output = screen.run("drift", "late", "--feature", "wind")
    assert (code, output) == (2, "Error: late-v1 has no feature wind: there are distance, prediction\n")


def test_scripts_get_json(screen: Screen) -> None:
    screen.story.reports("late-v1", DRIFTED)
    document = json.loads(screen.shown("drift", "late", "-o", "json"))
    assert (document["version"], document["drift"]["state"], document["drift"]["harm"]) == ("late-v1", "Confirmed", "None")
    assert document["reports"] == {"pods": 1, "rows": 4_000, "leftOut": {}}
    assert [one["name"] for one in document["histograms"]] == ["distance"]
    assert document["histograms"][0]["live"] == [400, 3_600, 0]
    assert document["objective"][0]["metric"] == "roc_auc"


def test_reports_of_all_pods_are_added_up_page_by_page(screen: Screen) -> None:
    for pod in range(7):
        screen.story.reports("late-v1", LiveRows(100), pod=f"late-v1-{pod}")
    assert json.loads(screen.shown("drift", "late", "-o", "json"))["reports"]["rows"] == 700


def test_a_report_that_the_operator_would_not_believe_is_left_out_and_said_so(screen: Screen) -> None:
    screen.story.reports("late-v1", DRIFTED)

    def damage(body: Body) -> None:
        body["spec"]["features"][0]["live"] = [1, 2, 3]

    screen.story.reports("late-v1", LiveRows(100), pod="late-v1-1")
    screen.story.api.change(MONITOR_REPORT, "late-v1-1", damage)
    screen.story.reports("late-v1", LiveRows(100), pod="late-v1-2")
    screen.story.api.change(MONITOR_REPORT, "late-v1-2", lambda body: body["spec"].update(rows="many"))
    shown = screen.shown("drift", "late")
    assert "Reports left out, as the operator does: 1 Inconsistent, 1 Unreadable." in shown
    assert "the 4,000 that 1 pod served" in shown


def test_evidence_that_somebody_damaged_does_not_hide_the_rows(screen: Screen) -> None:
    screen.story.reports("late-v1", DRIFTED)
    screen.story.api.change(MODEL_VERSION, "late-v1", lambda body: body["status"].update(evidence="garbage"))
    assert "the 4,000 that 1 pod served" in screen.shown("drift", "late")


@pytest.mark.parametrize("width", ["20", "40", "300"])
def test_the_bars_fit_into_the_terminal(screen: Screen, width: str) -> None:
    screen.story.reports("late-v1", DRIFTED)
    screen.variables = {"COLUMNS": width}
    lines = screen.shown("drift", "late", "--all").splitlines()
    assert all(len(line) <= int(width) for line in lines)


def test_what_others_wrote_cannot_steer_the_terminal(screen: Screen) -> None:
    screen.story.reports("late-v1", DRIFTED)
    hostile = "a\x1b[31mb\r\u202ec[bold]"

    def rename(body: Body) -> None:
        for index, feature in enumerate(body["spec"]["features"]):
            feature["slots"] = [hostile] * len(feature["live"])
            feature["name"] = f"{hostile}{index}"

    screen.story.api.change(MONITOR_REPORT, "late-v1-0", rename)
    screen.story.api.change(MODEL_VERSION, "late-v1", lambda body: body["status"].update(evidence=None))
    screen.story.api.change(ML_MODEL, "late", lambda body: body["status"]["drift"].update(message=hostile))
    shown = screen.shown("drift", "late", "--all")
    assert not {"\x1b", "\r", "\u202e"} & set(shown)
    assert "a\\x1b[31mb\\r\\u202ec[bold]" in shown


def test_an_unknown_name_is_answered_with_those_that_are_there(screen: Screen) -> None:
    assert screen.run("drift", "later") == (2, "Error: there is no MLModel later in the namespace team: there are late\n")
    assert screen.run("drift", "late", "--version", "late-v7") == (2, "Error: late has no version late-v7: there are late-v1\n")
    assert screen.run("drift", "late", "-n", "nowhere") == (2, "Error: there is no MLModel late in the namespace nowhere: there is none\n")


def test_what_is_not_known_yet_is_said(screen: Screen) -> None:
    code, output = screen.run("drift", "late")
    assert code == 1
    assert "no report of late-v1 has come yet" in output


def test_a_model_without_a_version_says_why(tmp_path: Path) -> None:
    story = ModelLifecycle()
    story.settle()
    with serving(ApiServer(story.api), tmp_path) as kubeconfig:
        code, output = Screen(ApiServer(story.api), kubeconfig, story).run("drift", "late")
    assert code == 1
    assert output.startswith("Error: no version of late is live yet")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not accept your credentials"),
        (403, "ClusterRole mlmodel-viewer"),
        (500, "does not show mlmodels: 500"),
        (200, "no Kubernetes"),
    ],
)
def test_a_refusal_names_the_remedy(screen: Screen, status: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Any = (status, [] if status == 200 else {})
    monkeypatch.setattr(screen.server, "answer", lambda _url: answers)
    code, output = screen.run("drift", "late")
    assert code == 1
    assert words in output


def test_a_cluster_without_the_operator_says_to_install_it(screen: Screen) -> None:
    screen.server.unknown = {"mlmodels"}
    code, output = screen.run("drift", "late")
    assert code == 1
    assert "knows no mlmodels.mlmodel.dev: install the operator's chart there" in output


def test_no_cluster_is_one_sentence(tmp_path: Path) -> None:
    away = write_kubeconfig(tmp_path / "away", NOTHING_LISTENS)
    (tmp_path / "broken").write_text("{")
    for words, said in {
        ("--kubeconfig", str(away)): "no cluster answers at",
        ("--kubeconfig", str(tmp_path / "broken")): "no cluster is known",
        ("--kubeconfig", str(tmp_path / "none")): "no cluster is known",
        ("--kubeconfig", str(away), "--context", "other"): "no cluster is known",
    }.items():
        done = CliRunner().invoke(app, ["drift", "late", *words])
        assert done.exit_code == 1
        assert said in done.output
        assert done.output.count("\n") == 1
