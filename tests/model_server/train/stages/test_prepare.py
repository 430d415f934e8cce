"""The first stage as its pod runs it: the run document in, the termination message and the kept rows out."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlmodel_contract.capture import COLUMN_ARRIVED, COLUMN_ID, COLUMN_PREDICTION, COLUMN_TARGET, COLUMN_TIME
from mlmodel_contract.run import Stage
from model_server.storage import Location, list_files
from model_server.train.command import run_stage

from tests.model_server.support.training_runs import COLUMNS, Run, flights


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_good_rows_are_kept_with_their_lineage(run: Run) -> None:
    run.write(flights(500))
    result = run.prepare()
    assert result.problems == []
    assert result.lineage is not None
    assert (result.lineage.train_rows, result.lineage.holdout_rows, result.lineage.captured_rows) == (400, 100, 0)
    assert result.lineage.start == "2024-01-01T00:00:00+00:00"
    assert pq.read_table(run.store / "runs/1/train.parquet").num_rows == 400
    assert pq.read_table(run.store / "runs/1/holdout.parquet").num_rows == 100


def test_the_same_rows_have_the_same_digest_in_another_run(run: Run, tmp_path: Path) -> None:
    run.write(flights(300))
    first = run.prepare()
    again = Run(tmp_path, number=2).prepare()
    run.write(flights(300, seed=1))
    other = run.prepare()
    assert first.lineage is not None
    assert again.lineage is not None
    assert other.lineage is not None
    assert first.lineage.digest == again.lineage.digest != other.lineage.digest


def test_rows_without_a_time_keep_their_order(run: Run) -> None:
    run.write(flights(200))
    run.data = {"time": None, "columns": COLUMNS[1:]}
    result = run.prepare()
    assert result.lineage is not None
    assert result.lineage.start is None
    kept = pq.read_table(run.store / "runs/1/train.parquet")
    assert kept["wind"].to_pylist() == flights(200)["wind"].to_pylist()[:160]


def _spoil(name: str, /, **changes: Any) -> Callable[[Run], None]:
    def spoil(run: Run) -> None:
        run.data = {"columns": [column | changes if column["name"] == name else column for column in COLUMNS]}

    return spoil


def _replace_target(value: Any) -> Callable[[Run], None]:
    def spoil(run: Run) -> None:
        table = flights(300)
        run.write(table.set_column(1, "late", pa.array([value] * 300)))

    return spoil


def _three_classes(run: Run) -> None:
    run.data = {"target": "carrier"}


def _late_only_in_the_past(run: Run) -> None:
    table = flights(300)
    late = [*table["late"].to_pylist()[:240], *[False] * 60]
    run.write(table.set_column(1, "late", pa.array(late)))


def _many_folds(run: Run) -> None:
    run.write(flights(20))
    run.data = {"checks": {"minRows": 10}}
    run.training = {"validation": {"folds": 10}}


def _prediction_as_column(run: Run) -> None:
    run.write(flights(300).rename_columns(["at", "late", "wind", "prediction", "carrier", "holiday"]))
    _spoil("temp", name="prediction")(run)


@pytest.mark.parametrize(
    ("spoil", "check", "words"),
    [
        pytest.param(lambda run: (run.claim / "flights.parquet").unlink(), "SourceMissing", "pvc://data/*.parquet", id="source missing"),
        pytest.param(lambda run: (run.claim / "flights.parquet").write_bytes(b"x"), "SourceUnreadable", "damaged", id="source damaged"),
        pytest.param(lambda run: run.write(flights(0)), "SourceEmpty", "has no rows", id="source empty"),
        pytest.param(_spoil("wind", name="gusts"), "MissingColumn", "'gusts'", id="column missing"),
        pytest.param(_spoil("carrier", type="number"), "WrongType", "'carrier'", id="wrong type"),
        pytest.param(_spoil("wind", min=5), "OutOfRange", "'wind'", id="out of range"),
        pytest.param(_spoil("temp", maxMissing=0.01), "TooManyMissing", "'temp'", id="missing values"),
        pytest.param(lambda run: run.write(flights(50)), "TooFewRows", "minRows 100", id="too few rows"),
        pytest.param(_many_folds, "TooFewRows", "training.validation.folds 10", id="too few rows for the folds"),
        pytest.param(_replace_target(True), "SingleClass", "'late' has one value", id="one class"),
        pytest.param(_late_only_in_the_past, "SingleClass", "raise training.validation.holdout", id="one class in the holdout"),
        pytest.param(_three_classes, "MetricNeedsTwoClasses", "use log_loss or accuracy", id="three classes"),
        pytest.param(_prediction_as_column, "ReservedColumn", "rename the column", id="reserved name"),
    ],
)
def test_bad_data_is_refused_with_a_sentence_and_nothing_is_kept(run: Run, spoil: Callable[[Run], None], check: str, words: str) -> None:
    run.write(flights(300))
    spoil(run)
    result = run.prepare()
    assert check in [problem.check for problem in result.problems]
    assert any(words in problem.message for problem in result.problems)
    assert result.lineage is None
    assert not (run.store / "runs/1/train.parquet").exists()


def test_every_finding_is_reported_at_once(run: Run) -> None:
    run.write(flights(300))
    run.data = {"sources": [{"uri": "pvc://data/none.csv"}, {"uri": "pvc://data/*.parquet"}, {"uri": "pvc://data/x.txt"}]}
    assert [problem.check for problem in run.prepare().problems] == ["SourceMissing", "UnknownFormat"]


def test_a_hundred_findings_fit_into_the_message(run: Run) -> None:
    run.write(flights(300))
    run.data = {"columns": [*COLUMNS, *({"name": f"column_number_{index}", "type": "number"} for index in range(100))]}
    problems = run.prepare().problems
    assert problems[0].check == "MissingColumn"
    assert problems[-1].message.startswith(f"{100 - len(problems) + 1} more problems")


class TestCaptured:
    """Live rows whose label came back, as sidecars leave them."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> Run:
        run = Run(tmp_path)
        run.write(flights(300))
        run.data = {"sources": [{"uri": "pvc://data/*.parquet"}, {"captured": {}}]}
        return run

    def capture(self, run: Run, live: pa.Table, labels: list[tuple[str, Any]], name: str = "pod-0", target: str = "late") -> None:
        """Keep rows with the ids 0, 1, ... as the sidecar does, and labels as (id, truth) in the order they came."""
        ids = pa.array([f"{name}/{index}" for index in range(live.num_rows)])
        rows = live.drop_columns(["at", "late"])
        rows = rows.append_column(COLUMN_ID, ids).append_column(COLUMN_TIME, live["at"])
        rows = rows.append_column(COLUMN_PREDICTION, pa.array([0.5] * live.num_rows))
        rows = rows.append_column(COLUMN_TARGET, pa.array([target] * live.num_rows))
        truths = pa.table(
            {COLUMN_ID: [f"{name}/{identity}" for identity, _ in labels], "truth": [json.dumps(truth) for _, truth in labels]}
        )
        times = pa.array(range(len(labels)), pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        self.keep(run.store / f"captured/rows/flights-v1/2024-01-13/{name}.parquet", rows)
        self.keep(run.store / f"captured/labels/2024-01-13/{name}.parquet", truths.append_column(COLUMN_TIME, times))

    def keep(self, file: Path, table: pa.Table) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)

    def test_none_yet_is_fine(self, run: Run) -> None:
        assert run.prepare().problems == []

    def test_none_yet_is_a_problem_where_there_is_nothing_else(self, run: Run) -> None:
        run.data = {"sources": [{"captured": {}}]}
        (problem,) = run.prepare().problems
        assert problem.check == "SourceEmpty"
        assert "no live row's label has come back" in problem.message

    def test_labelled_rows_are_learnt_from_with_their_first_label(self, run: Run) -> None:
        live = flights(5, hours=300)
        self.capture(run, live, [("1", True), ("1", False), ("3", False), ("elsewhere", True)])
        result = run.prepare()
        assert result.lineage is not None
        assert result.lineage.captured_rows == 2
        newest = pq.read_table(run.store / "runs/1/holdout.parquet").slice(58).to_pylist()
        assert [row["late"] for row in newest] == [True, False]
        assert [row["wind"] for row in newest] == [live["wind"][1].as_py(), live["wind"][3].as_py()]
        assert [row["at"] for row in newest] == [live["at"][1].as_py(), live["at"][3].as_py()]

    def test_rows_that_the_other_source_has_by_now_count_once(self, run: Run) -> None:
        known = flights(300).slice(290)
        self.capture(run, known, [(str(index), truth) for index, truth in enumerate(known["late"].to_pylist())])
        result = run.prepare()
        assert result.dropped == {"capturedTwice": 10}
        assert result.lineage is not None
        assert result.lineage.captured_rows == 0

    def test_files_that_are_deleted_while_they_are_read_are_no_fault(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self.capture(run, flights(5, hours=300), [("1", True), ("3", False)])

        def with_gone(folder: Location, ending: str) -> list[Location]:
            return [folder.child("2023-10-01/pod-0.parquet"), *list_files(folder, ending)]

        monkeypatch.setattr("model_server.train.data.captured.list_files", with_gone)
        result = run.prepare()
        assert result.lineage is not None
        assert result.lineage.captured_rows == 2

    def test_labels_of_another_target_are_not_learnt_from(self, run: Run) -> None:
        self.capture(run, flights(5, hours=300), [("1", True), ("2", False)], name="pod-0", target="holiday")
        self.capture(run, flights(5, hours=400), [("3", True)], name="pod-1")
        result = run.prepare()
        assert result.lineage is not None
        assert result.lineage.captured_rows == 1

    def test_rows_of_several_pods_are_in_the_order_of_their_times_without_a_time_column(self, run: Run) -> None:
        run.data |= {"time": None, "columns": COLUMNS[1:]}
        later, earlier = flights(3, hours=500), flights(3, seed=1, hours=400)
        for name, live in (("pod-0", later), ("pod-1", earlier)):
            self.capture(run, live, [(str(index), True) for index in range(3)], name=name)
        assert run.prepare().problems == []
        newest = pq.read_table(run.store / "runs/1/holdout.parquet")["wind"].to_pylist()[-6:]
        assert newest == [*earlier["wind"].to_pylist(), *later["wind"].to_pylist()]

    def test_rows_that_arrived_while_a_feed_was_broken_are_left_out_and_counted(self, run: Run) -> None:
        self.capture(run, flights(6, hours=300), [(str(index), True) for index in range(6)])
        file = run.store / "captured/rows/flights-v1/2024-01-13/pod-0.parquet"
        minutes = [datetime(2024, 1, 13, 12, minute, tzinfo=UTC) for minute in range(6)]
        self.keep(file, pq.read_table(file).append_column(COLUMN_ARRIVED, pa.array(minutes, pa.timestamp("us", tz="UTC"))))
        closed = {"start": "2024-01-13T12:01:00Z", "end": "2024-01-13T12:03:00Z"}
        result = run.prepare(quarantine=[closed, {"start": "2024-01-13T12:05:00Z"}])
        assert result.dropped == {"quarantined": 3}
        assert result.lineage is not None
        assert result.lineage.captured_rows == 3

    def test_rows_whose_labels_come_late_by_class_keep_the_true_share_of_positives(self, run: Run) -> None:
        """Positives are known after a day, negatives after seven; one day in the middle has all its labels already."""
        self.arrive(run, flights(2_000, hours=300), lambda late, age: age >= (1 if late else 7) or 3 <= age < 4)
        result = run.prepare(maturity="7d")
        assert result.problems == []
        assert result.lineage is not None
        assert result.lineage.captured_rows == pytest.approx(1_400, abs=1), "13 of 20 days, and the whole one"
        assert result.dropped.keys() == {"immature"}
        learnt = [pq.read_table(run.store / f"runs/1/{name}.parquet") for name in ("train", "holdout")]
        live = pa.concat_tables(learnt).slice(300)["late"].to_numpy()
        assert live.mean() == pytest.approx(flights(2_000, hours=300)["late"].to_numpy().mean(), abs=0.03)

    def test_rows_that_are_all_too_young_are_no_source(self, run: Run) -> None:
        run.data = {"sources": [{"captured": {}}]}
        self.arrive(run, flights(200), lambda late, age: late and age >= 1, days=2)
        (problem,) = run.prepare(maturity="7d").problems
        assert problem.check == "SourceEmpty"
        assert "labelled live rows are younger than monitoring.labels.completeAfter" in problem.message

    def test_labels_that_come_by_the_prediction_are_refused(self, run: Run) -> None:
        self.arrive(run, flights(2_000, hours=300), lambda late, age: late or age > 25)
        (problem,) = run.prepare().problems
        assert problem.check == "SelectiveLabels"
        assert "labels came for 0% of " in problem.message
        assert "captured rows with a prediction from " in problem.message
        assert "more than data.checks.maxCoverageDifference 20%: label a random share of the rows in the former range" in problem.message
        run.data = {"checks": {"maxCoverageDifference": 1.0}}
        assert run.prepare().problems == []

    @pytest.mark.parametrize("rows", [60, 2_000])
    def test_labels_of_a_random_share_are_learnt_from_and_so_are_few_that_look_chosen(self, run: Run, rows: int) -> None:
        random = np.random.default_rng(0)
        self.arrive(run, flights(rows, hours=300), lambda late, _: late if rows < 100 else random.random() < 0.3)
        assert run.prepare().problems == []

    def arrive(self, run: Run, live: pa.Table, is_labelled: Callable[[bool, float], bool], days: int = 20) -> None:
        """Capture rows that arrived evenly over the last days; predictions are high for late flights. Labels come by truth and age."""
        truths = live["late"].to_pylist()
        now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        ages = [days * (live.num_rows - index) / live.num_rows for index in range(live.num_rows)]
        labels = [(str(index), truth) for index, (truth, age) in enumerate(zip(truths, ages, strict=True)) if is_labelled(truth, age)]
        self.capture(run, live, labels)
        file = run.store / "captured/rows/flights-v1/2024-01-13/pod-0.parquet"
        times = pa.array([now - timedelta(days=age) for age in ages], pa.timestamp("us", tz="UTC"))
        predictions = pa.array([0.5 + 0.4 * truth + 0.001 * index / len(truths) for index, truth in enumerate(truths)])
        rows = pq.read_table(file).drop_columns(COLUMN_PREDICTION).append_column(COLUMN_PREDICTION, predictions)
        self.keep(file, rows.append_column(COLUMN_ARRIVED, times))

    def test_a_damaged_page_is_a_fault_of_the_data(self, run: Run) -> None:
        self.capture(run, flights(5, hours=300), [("1", True)])
        (file,) = (run.store / "captured/rows").glob("**/*.parquet")
        content = bytearray(file.read_bytes())
        content[10:60] = bytes(50)
        file.write_bytes(content)
        (problem,) = run.prepare().problems
        assert problem.check == "SourceUnreadable"
        assert file.name in problem.message

    def test_a_column_that_live_rows_did_not_have_is_missing_in_them(self, run: Run) -> None:
        live = flights(5, hours=300).drop_columns("temp")
        self.capture(run, live, [("4", True)])
        assert run.prepare().lineage is not None
        assert pq.read_table(run.store / "runs/1/holdout.parquet")["temp"][-1].as_py() is None


def test_the_stage_loads_neither_scikit_learn_nor_pandas(run: Run) -> None:
    run.write(flights(300))
    heavy = "{'sklearn', 'pandas', 'scipy', 's3fs'}"
    probe = f"import sys; from model_server.train.command import run_stage; sys.exit(run_stage() or bool({heavy} & sys.modules.keys()))"
    with run.process(Stage.PREPARE):
        assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_a_run_of_another_contract_is_refused(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with run.process(Stage.PREPARE, contract=999):
        assert run_stage() == 1
    assert "install operator and model server of one release" in caplog.text
