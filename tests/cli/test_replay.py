"""`mlmodel-drift replay` as a user runs it: files in, a table or JSON out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlmodel_cli.drift import app
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeRegressor

RANDOM = np.random.default_rng(0)


def table(rows: int, shift: float = 0.0, *, contrary: bool = False) -> pd.DataFrame:
    """Two numbers, a category, a flag, and a model's probability beside the truth."""
    x = RANDOM.normal(size=rows) + shift
    probability = 1 / (1 + np.exp(-2 * (x - shift)))
    truth = RANDOM.random(rows) < (1 - probability if contrary else probability)
    columns = {"x": x, "y": RANDOM.normal(size=rows), "carrier": RANDOM.choice(list("abc"), rows), "flag": RANDOM.random(rows) < 0.3}
    return pd.DataFrame(columns | {"p": probability, "late": truth.astype(int)})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    table(3_000).to_parquet(tmp_path / "reference.parquet")
    return tmp_path


def run(folder: Path, live: pd.DataFrame | str, *options: str) -> tuple[int, str]:
    """Exit code, and what is printed."""
    name = live if isinstance(live, str) else "live.csv"
    if not isinstance(live, str):
        live.to_csv(folder / name, index=False)
    words = ["replay", "--reference", str(folder / "reference.parquet"), "--live", str(folder / name), *options]
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def found(folder: Path, live: pd.DataFrame, *options: str) -> dict[str, Any]:
    code, said = run(folder, live, "-o", "json", *options)
    assert code == 0, said
    return dict(json.loads(said[said.index("{") :]))


INPUTS = ("--columns", "x,y,carrier,flag")


def test_a_shift_is_found_where_it_began_and_blamed_on_what_shifted(files: Path) -> None:
    said = found(files, pd.concat([table(2_000), table(2_000, shift=1.0)]), *INPUTS, "--cost-per-run", "3")
    (change,) = (change for change in said["changes"] if "drift Confirmed" in change["what"])
    assert 2_000 < change["row"] <= 2_300
    assert [(feature["name"], feature["change"], feature["since"]) for feature in change["features"]] == [("x", "location", 2_000)]
    assert (said["runs"], said["cost"], said["rows"]) == (1, 3.0, 4_000)


def test_nothing_is_said_of_rows_that_are_alike(files: Path) -> None:
    said = found(files, table(20_000), *INPUTS, "--bucket", "500")
    assert (said["changes"], said["runs"]) == ([], 0)


def test_the_loss_is_watched_where_truths_are_given(files: Path) -> None:
    watched = ("--prediction", "p", "--truth", "late", "--task", "Classification")
    harmed = found(files, pd.concat([table(1_000), table(2_000, contrary=True)]), *watched)
    assert [change["what"] for change in harmed["changes"]][-1] == "harm Confirmed, run (Performance)"
    harmless = found(files, table(2_000), *watched)
    assert (harmless["runs"], [change["what"] for change in harmless["changes"]]) == (0, ["harm None"])


def flowers(rows: int, *, contrary: bool = False) -> pd.DataFrame:
    """Three classes, their probabilities, and truths that follow them, or the next class's."""
    chances = RANDOM.dirichlet([1.0, 1.0, 1.0], rows)
    codes = (RANDOM.random(rows)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    kinds = np.array(["iris", "rose", "tulip"])[(codes + contrary) % 3]
    return pd.DataFrame({"x": RANDOM.normal(size=rows), "kind": kinds} | dict(zip(("p_i", "p_r", "p_t"), chances.T, strict=True)))


def test_the_loss_of_three_classes_is_watched(files: Path) -> None:
    flowers(3_000).to_parquet(files / "reference.parquet")
    watched = ("--task", "Classification", "--classes", "iris,rose,tulip", "--prediction", "p_i,p_r,p_t", "--truth", "kind")
    harmless = found(files, flowers(2_000), *watched)
    assert (harmless["runs"], [change["what"] for change in harmless["changes"]]) == (0, ["harm None"])
    assert harmless["loss"]["live"] == pytest.approx(5 / 6, abs=0.06), "the mean entropy of such chances"
    harmed = found(files, pd.concat([flowers(1_000), flowers(2_000, contrary=True)]), *watched)
    assert [change["what"] for change in harmed["changes"]][-1] == "harm Confirmed, run (Performance)"


def test_predictions_out_of_fold_are_no_drift_where_they_are_said_to_be(files: Path) -> None:
    """Each of a tree's fits has its own few predictions."""
    random = np.random.default_rng(4)
    inputs = random.normal(size=(12_000, 6))
    truth = inputs[:, 0] + inputs[:, 1] + random.normal(size=12_000)
    tree, known = DecisionTreeRegressor(max_leaf_nodes=30, random_state=0), slice(0, 2_000)
    out_of_fold = cross_val_predict(tree, inputs[known], truth[known])
    table = pd.DataFrame({"x": inputs[:, 0], "p": [*out_of_fold, *tree.fit(inputs[known], truth[known]).predict(inputs[2_000:])]})
    table[known].to_parquet(files / "reference.parquet")
    alarm = found(files, table[2_000:], "--prediction", "p")["changes"][-1]
    assert (alarm["what"], [feature["name"] for feature in alarm["features"]]) == ("drift Confirmed, run (Drift)", ["prediction"])
    assert found(files, table[2_000:], "--prediction", "p", "--out-of-fold")["changes"] == []


def test_a_season_that_the_reference_holds_is_no_drift_and_a_shift_within_it_is_found(files: Path) -> None:
    times = pd.date_range("2023-01-01", periods=2 * 8_760, freq="h")
    degrees = 10 - 12 * np.cos(2 * np.pi * times.day_of_year / 365) - 5 * np.cos(2 * np.pi * times.hour / 24)
    table = pd.DataFrame({"at": times, "temp": degrees + 2 * RANDOM.normal(size=len(times))})
    table[:8_760].to_parquet(files / "reference.parquet")
    said = found(files, table[8_760:], "--time", "at", "--bucket", "250")
    assert (said["changes"], said["runs"]) == ([], 0)
    warmer = table[8_760:].assign(temp=lambda live: live["temp"].where(live.index < 10_000, live["temp"] + 1))
    (change,) = found(files, warmer, "--time", "at")["changes"]
    assert 10_000 < change["row"] + 8_760 <= 10_000 + 24 * 60
    assert [(feature["name"], feature["change"]) for feature in change["features"]] == [("temp", "location")]


def test_rows_whose_truth_is_not_known_are_not_judged(files: Path) -> None:
    live = table(3_000)
    live["late"] = live["late"].where(live["p"] > 0.3)  # read as "late" they would look like great losses
    reference = table(3_000)
    reference["late"] = reference["late"].where(reference["p"] > 0.3)
    reference.to_parquet(files / "reference.parquet")
    said = found(files, live, "--prediction", "p", "--truth", "late", "--task", "Classification")
    assert (said["runs"], [change["what"] for change in said["changes"]]) == (0, ["harm None"])
    assert 0 < said["loss"]["reference"] < 1


def test_a_broken_feed_is_reported_and_starts_no_run(files: Path) -> None:
    broken = table(1_000)
    broken["x"] = np.nan
    said = found(files, pd.concat([table(1_000), broken]), *INPUTS)
    assert [change["what"] for change in said["changes"]] == ["feed Broken"]
    assert said["runs"] == 0


def test_with_restart_the_new_world_is_the_reference_of_the_next(files: Path) -> None:
    said = found(files, pd.concat([table(3_000), table(6_000, shift=1.0)]), *INPUTS, "--restart")
    assert 1 <= said["runs"] <= 3
    once = found(files, pd.concat([table(3_000), table(6_000, shift=1.0)]), *INPUTS)
    assert once["runs"] == 1


def test_a_person_gets_a_table_and_a_sentence(files: Path) -> None:
    code, said = run(files, table(1_000, shift=2.0), *INPUTS)
    assert code == 0
    for words in ("drift Confirmed", "location", "In 1,000 rows the operator would have started 1 run"):
        assert words in " ".join(said.split())


def test_times_of_one_file_and_numbers_of_the_other_are_reported(files: Path) -> None:
    table(100).assign(at=pd.date_range("2024-01-01", periods=100, freq="h")).to_parquet(files / "reference.parquet")
    code, said = run(files, table(100).assign(at=range(100)), "--time", "at")
    assert code == 2
    assert "--time: the column has dates in one file and numbers in the other" in " ".join(said.split())


def test_rows_are_put_in_order_by_their_time(files: Path) -> None:
    reference, live = table(3_000), pd.concat([table(1_000), table(1_000, shift=2.0)])
    for one in (reference, live):
        one["at"] = pd.date_range("2024-01-01", periods=len(one), freq="min")
    reference.to_parquet(files / "reference.parquet")
    said = found(files, live.sample(frac=1, random_state=1), *INPUTS, "--time", "at")
    confirmed = next(change for change in said["changes"] if "drift Confirmed" in change["what"])
    assert 1_000 < confirmed["row"] <= 1_300
    assert confirmed["time"].startswith("2024-01-01 1")


@pytest.mark.parametrize(
    ("live", "options", "message"),
    [
        ("nothing.csv", (), "is not there"),
        (table(0), (), "has no rows"),
        (table(10).drop(columns="y"), (), "has no column 'y', which the reference has"),
        (table(10).assign(x="much"), (), "column 'x': holds values that are no number"),
        (table(10), ("--columns", "x,oops"), "the reference has no column 'oops': it has x, y"),
        (table(10), ("--time", "oops"), "the reference has no column 'oops'"),
        (table(10).assign(late="perhaps"), ("--truth", "late", "--task", "Classification"), "a truth is a number, or true and false"),
        (table(10), ("--classes", "a,b,c"), "add --task Classification"),
        (table(10), ("--classes", "a,b", "--task", "Classification"), "--classes is for three and more"),
        (table(10), ("--classes", "a,b,c", "--prediction", "p", "--task", "Classification"), "--prediction names 1 columns for 3 classes"),
    ],
    ids=[
        "no file",
        "no rows",
        "a column less",
        "text in a number",
        "unknown column",
        "unknown time",
        "unknown truth",
        "classes of a number",
        "two classes",
        "a class less",
    ],
)
def test_what_does_not_fit_is_reported_in_a_sentence(files: Path, live: pd.DataFrame | str, options: tuple[str, ...], message: str) -> None:
    code, said = run(files, live, *options)
    assert code == 2
    assert message in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "live", [table(1), table(60).assign(x=np.nan), table(60).assign(x=np.inf)], ids=["one row", "all missing", "infinite"]
)
def test_odd_rows_are_watched_like_others(files: Path, live: pd.DataFrame) -> None:
    assert found(files, live, *INPUTS)["rows"] == len(live)
