"""`mlmodel backtest` as a user runs it: manifests and a file in, tables, JSON and pictures out."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from mlmodel_cli.mlmodel import app

from tests.cli.backtest.support.streams import HISTORY, ROWS, data, frame, manifest

CHANGE = 1_000
QUICK = ("--start", str(HISTORY / ROWS), "--tick", "12h", "--period", "2d", "--jobs", "1")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with past rows, and two manifests: one that starts runs by harm, and one that never does."""
    folder = tmp_path_factory.mktemp("backtest")
    frame(CHANGE).to_parquet(folder / "history.parquet")
    frame(CHANGE).to_csv(folder / "history.csv.gz", index=False)
    write(folder / "watched.yaml", "watched")
    write(folder / "asleep.yaml", "asleep", retraining={"triggers": []})
    return folder


def write(file: Path, name: str, **changes: Any) -> None:
    """Write a manifest behind one of another kind, as teams keep them."""
    model = manifest(**changes) | {"metadata": {"name": name}}
    file.write_text(yaml.safe_dump_all([{"kind": "Namespace", "metadata": {"name": "airline"}}, model]))


def backtest(folder: Path, *options: str, manifests: tuple[str, ...] = ("watched.yaml",), rows: str = "history.parquet") -> Result:
    words = [word for name in manifests for word in ("-f", str(folder / name))]
    return CliRunner().invoke(app, ["backtest", *words, "--data", str(folder / rows), *QUICK, *options])


@pytest.mark.slow
def test_scripts_get_json(files: Path) -> None:
    done = backtest(files, "-o", "json")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    assert (found["model"], found["loss"], found["rows"], found["unjudged"], found["bound"]) == (
        "watched",
        "log loss",
        ROWS - HISTORY,
        0,
        2.0,
    )
    assert found["decisions"][0]["decision"] == "RunStarted"
    assert found["wentLive"][0] == {"version": "watched-v1", "time": "2024-01-05T04:00:00Z"}
    assert {(schedule["window"], schedule["every"]) for schedule in found["schedules"]} == {
        (window, every) for window in ("all rows", "newest rows") for every in (0, 1, 2, 4, 8)
    }
    assert all(len(schedule["periods"]) == len(found["periods"]) for schedule in found["schedules"])


@pytest.mark.slow
def test_several_manifests_are_compared_drawn_and_summed_up(files: Path) -> None:
    done = backtest(files, "--plot", str(files / "pictures" / "both.png"), manifests=("watched.yaml", "asleep.yaml"))
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    for words in (
        "watched: this manifest would have served 0.",
        "asleep: this manifest would have served 1.",
        "all manifests",
        "RunStarted",
    ):
        assert words in said
    assert "where a schedule of every 4 periods has" in said
    assert (files / "pictures" / "both.png").read_bytes().startswith(PNG)
    page = (files / "pictures" / "both.html").read_text()
    for words in ("<svg", "this manifest would have served", "Promoted", "all manifests"):
        assert words in page


@pytest.mark.slow
def test_money_stands_beside_the_loss_in_sentence_tables_page_and_json(files: Path) -> None:
    objective = {
        "criteria": [{"metric": "log_loss", "max": 2.0}],
        "value": {"outcomes": {"truePositive": 5, "falsePositive": -5}, "currency": "EUR"},
    }
    for name in ("valued", "priced"):
        retraining = {"cooldown": "6h", "giveUpAfter": 100} | ({"pricePerCpuHour": 3600.0} if name == "priced" else {})
        write(files / f"{name}.yaml", name, objective=objective, retraining=retraining)
    done = backtest(files, "--plot", str(files / "money.png"), manifests=("valued.yaml", "priced.yaml", "watched.yaml"))
    assert done.exit_code == 0, done.output
    page = " ".join((files / "money.html").read_text().split())
    for words in (
        "It would have been worth",
        "EUR, less what fits cost.",
        "worth in EUR, before the cost of fits",
        "worthiest schedule",
        "EUR saved, running sum",
        "loss saved, running sum",
    ):
        assert words in page
    assert "EUR." in page
    (found,) = json.loads(backtest(files, "-o", "json", manifests=("priced.yaml",)).stdout)
    assert found["currency"] == "EUR"
    assert found["worth"] == pytest.approx(sum(period["worth"] for period in found["periods"]) - found["costOfFits"], abs=1e-3)
    assert all(schedule["costOfFits"] > 0 for schedule in found["schedules"])


@pytest.mark.slow
def test_a_csv_file_says_the_same_as_a_parquet_file(files: Path) -> None:
    options = ("-o", "json", "--schedules", "none")
    by_parquet, by_csv = (json.loads(backtest(files, *options, rows=name).stdout) for name in ("history.parquet", "history.csv.gz"))
    assert by_parquet[0]["meanLoss"] == pytest.approx(by_csv[0]["meanLoss"], abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "options", "rows", "message"),
    [
        ({}, (), "nothing.parquet", "nothing.parquet' does not exist"),
        ({}, (), "bad.parquet", "is damaged or not of the format that its name says"),
        ({}, (), "rows.txt", "has no known format: use .parquet, .csv or .csv.gz"),
        ({"data": data(columns=[*data()["columns"], {"name": "c", "type": "number"}])}, (), "history.parquet", "has no column 'c'"),
        ({"data": data(time=None, window=None)}, (), "history.parquet", "data.time is missing"),
        ({"objective": {"criteria": [{"metric": "loss"}]}}, (), "history.parquet", "spec.objective.criteria.0.metric"),
        ({"training": {"task": "Classification", "trails": 3}}, (), "history.parquet", "spec.training.trails"),
        ({}, ("--start", "1.5"), "history.parquet", "--start leaves"),
        ({}, ("--labels-after", "landed"), "history.parquet", "has no column 'landed'"),
        ({}, ("--tick", "often"), "history.parquet", "'often' is no duration"),
        ({}, ("--tick", "0s"), "history.parquet", "longer than 0s"),
    ],
    ids=["no file", "damaged", "format", "column", "no time", "metric", "field", "start", "labels", "tick", "no tick"],
)
def test_what_does_not_fit_ends_with_2_and_a_sentence(
    tmp_path: Path, files: Path, changes: dict[str, Any], options: tuple[str, ...], rows: str, message: str
) -> None:
    (tmp_path / "bad.parquet").write_text("no parquet")
    (tmp_path / "rows.txt").write_text("a\n1\n")
    (tmp_path / "history.parquet").write_bytes((files / "history.parquet").read_bytes())
    write(tmp_path / "watched.yaml", "watched", **changes)
    done = backtest(tmp_path, *options, rows=rows)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "message"),
    [("kind: Pod\n", "has 0 manifests of kind MLModel"), ("a: [", "is no YAML that can be read"), (None, "is not there")],
    ids=["other kind", "no YAML", "no file"],
)
def test_a_file_without_a_model_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "watched.yaml").write_text(text)
    done = backtest(tmp_path)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_played(files: Path) -> None:
    done = backtest(files, "--plot", str(files / "history.parquet" / "picture.png"))
    assert done.exit_code == 2
    assert "--plot" in done.output


def test_a_backtest_without_its_extra_names_the_remedy(files: Path) -> None:
    code = "import sys; sys.modules['mlmodel_operator'] = None; from mlmodel_cli.mlmodel import app; app()"
    words = ["backtest", "-f", str(files / "watched.yaml"), "--data", str(files / "history.parquet")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a backtest needs the package mlmodel_operator, which is not installed: pip install 'mlmodel-cli[backtest]'" in done.stderr


def test_help_imports_nothing_that_takes_long() -> None:
    slow = {"matplotlib", "mlmodel_operator", "model_server", "numpy", "pandas", "pyarrow", "rich", "sklearn"}
    code = f"import sys, mlmodel_cli.mlmodel; print(sorted({slow} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
