"""The chart's alert rules and dashboard: what Prometheus' own tool says of them, and that they name only what is exposed. No API server."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlmodel_detection.harm.detector import LEAST_COVERAGE

from devtools import programs
from devtools.commands import run
from devtools.errors import CommandError
from tests.chart.support.chart import CHART, RELEASE, ROOT, render
from tests.chart.support.exposition import exposed

pytestmark = pytest.mark.slow

RULES = CHART / "files" / "rules.yaml"
DASHBOARD = CHART / "files" / "dashboard.json"
STORIES = Path(__file__).parent / "rules_test.yaml"
OF_TARGET = {"pod", "job", "namespace"}  # Prometheus adds them to a series that lacks them


@pytest.fixture(scope="session")
def promtool() -> Path:
    return programs.executable("prometheus", "promtool")


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, frozenset[str]]:
    return exposed(tmp_path_factory.mktemp("exposed"))


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[str]:
    """The dashboard's expressions, with its variables as Grafana fills them in."""
    values = {"namespace": "team", "name": "late", "false_alarm_probability": "0.01", "__rate_interval": "2m"}
    for panel in panels():
        for target in panel.get("targets", []):
            yield re.sub(r"\$(\w+)", lambda found: values[found[1]], target["expr"])


def test_promtool_finds_nothing_wrong_with_the_rules(promtool: Path) -> None:
    run([promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES])


def test_alerts_fire_when_they_should_and_keep_silent_in_a_healthy_hour(promtool: Path) -> None:
    run([promtool, "test", "rules", STORIES])


def test_every_alert_has_a_story_in_which_it_fires() -> None:
    tested = set(re.findall(r'ALERTS\{alertname="(\w+)", alertstate="firing"', STORIES.read_text()))
    assert tested == {rule["alert"] for rule in rules()}


def test_a_rule_that_never_fires_is_noticed(promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.read_text().replace("(mlmodel_feed_broken) == 1", "(mlmodel_feed_broken) == 2"))
    (tmp_path / "test.yaml").write_text(re.sub(r"rule_files: .*", "rule_files: [rules.yaml]", STORIES.read_text()))
    with pytest.raises(CommandError, match="MLModelFeedBroken"):
        run([promtool, "test", "rules", tmp_path / "test.yaml"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert f"`{rule['alert']}`" in (ROOT / "docs" / "monitoring.md").read_text()
    assert (ROOT / rule["annotations"]["runbook_url"]).is_file()


def test_rules_and_dashboard_name_only_what_is_exposed(series: Mapping[str, frozenset[str]]) -> None:
    variables = [str(variable["query"]) for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]]
    named = re.findall(r"\bmlmodel_\w+", " ".join([*(rule["expr"] for rule in rules()), *queries(), *variables]))
    assert len(set(named)) > 30
    assert set(named) - set(series) == set()


def test_every_figure_of_the_operator_on_a_model_is_shown_to_people(series: Mapping[str, frozenset[str]]) -> None:
    text = RULES.read_text() + DASHBOARD.read_text()
    of_models = {
        name for name, labels in series.items() if "name" in labels and not name.startswith(("mlmodel_monitor_", "mlmodel_server_"))
    }
    assert {name for name in of_models if not name.endswith("_created") and name not in text} == set()


def test_the_stories_use_series_that_are_exposed(series: Mapping[str, frozenset[str]]) -> None:
    for test in yaml.safe_load(STORIES.read_text())["tests"]:
        for entry in test["input_series"]:
            name, labels = re.fullmatch(r"(\w+)\{(.*)\}", entry["series"]).groups()  # type: ignore[union-attr]
            assert set(re.findall(r'(\w+)="', labels)) - OF_TARGET == series[name] - OF_TARGET, entry["series"]


def test_labels_are_called_missing_where_the_operator_calls_them_so() -> None:
    assert f"(mlmodel_label_coverage) < {LEAST_COVERAGE:g}\n" in RULES.read_text()
    assert f"vector({LEAST_COVERAGE:g})" in list(queries())


def test_labels_that_expressions_name_are_exposed(series: Mapping[str, frozenset[str]]) -> None:
    for expression in [*(rule["expr"] for rule in rules()), *queries()]:
        for labels, name in re.findall(r"by \(([\w, ]+)\) \((?:increase\(|rate\()?(mlmodel_\w+)", expression):
            assert set(labels.split(", ")) - OF_TARGET <= series[name], expression


def test_every_panel_asks_what_prometheus_understands(promtool: Path, tmp_path: Path) -> None:
    asked = [{"record": f"panel:query{number}", "expr": query} for number, query in enumerate(queries())]
    assert len(asked) > 30
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": asked}]}))
    run([promtool, "check", "rules", tmp_path / "queries.yaml"])


def test_panels_are_distinct_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        position = panel["gridPos"]
        own = {
            (x, y) for x in range(position["x"], position["x"] + position["w"]) for y in range(position["y"], position["y"] + position["h"])
        }
        assert max(x for x, _ in own) < 24, panel["title"]
        assert not own & cells, panel["title"]
        cells |= own


def test_the_chart_brings_the_very_files_when_asked(helm_program: Path) -> None:
    assert not {"PrometheusRule", "ConfigMap", "PodMonitor"} & render(helm_program).kinds()
    rendered = render(helm_program, metrics__rules__create=True, metrics__dashboard__create=True)
    assert rendered.find("PrometheusRule", RELEASE)["spec"] == yaml.safe_load(RULES.read_text())
    dashboard = rendered.find("ConfigMap", f"{RELEASE}-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["mlmodel.json"]) == json.loads(DASHBOARD.read_text())


@pytest.mark.parametrize("part", ["rules", "dashboard", "podMonitor"])
def test_labels_by_which_it_is_found_can_be_given(helm_program: Path, part: str) -> None:
    values: dict[str, str | int | bool] = {f"metrics__{part}__create": True, f"metrics__{part}__labels__release": "prometheus"}
    rendered = render(helm_program, **values)
    assert [body for body in rendered.objects if body["metadata"].get("labels", {}).get("release") == "prometheus"]


def test_models_are_scraped_where_they_listen_and_keep_their_own_namespace(helm_program: Path) -> None:
    rendered = render(helm_program, metrics__serviceMonitor__create=True, metrics__podMonitor__create=True)
    monitor = rendered.find("PodMonitor", f"{RELEASE}-models")["spec"]
    pod = yaml.safe_load((ROOT / "tests" / "operator" / "resources" / "golden" / "deployment-late-v1.yaml").read_text())["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    containers = [*pod["spec"]["containers"], *pod["spec"]["initContainers"]]
    listening = {port["name"] for container in containers for port in container.get("ports", []) if port["name"] not in ("http", "grpc")}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} == listening
    endpoints = [*monitor["podMetricsEndpoints"], *rendered.find("ServiceMonitor", RELEASE)["spec"]["endpoints"]]
    assert all(endpoint["honorLabels"] for endpoint in endpoints), "else the label namespace is that of the pod that is scraped"


def test_an_install_for_one_namespace_scrapes_models_there_alone(helm_program: Path) -> None:
    everywhere, one = (render(helm_program, metrics__podMonitor__create=True, watchNamespace=name) for name in ("", "airline"))
    assert everywhere.find("PodMonitor", f"{RELEASE}-models")["spec"]["namespaceSelector"] == {"any": True}
    assert one.find("PodMonitor", f"{RELEASE}-models")["spec"]["namespaceSelector"] == {"matchNames": ["airline"]}
