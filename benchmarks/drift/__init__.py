"""The drift benchmark: what ``docs/drift.md`` promises, measured through the product's own code beside other detectors."""

from pathlib import Path

from benchmarks.drift import cost, detection_delays, false_alarms, peers, plot, real_stream_verdicts, report_fuzzing
from benchmarks.table import FOLDER, Row, publish


def run(number: int, repeats: int, reports: int, data: Path | None, *, beside_others: bool) -> None:
    """Measure everything, print the table and write ``.bench/drift.json`` and ``.bench/drift.png``."""
    rows: list[Row] = []
    rows += cost.costs()
    rows += detection_delays.delays(repeats)
    rows += detection_delays.tolerated(repeats)
    rows += false_alarms.dependent_alarms(data, repeats)
    rows += real_stream_verdicts.verdicts(data)
    rows += false_alarms.independent_alarms(number)
    rows += report_fuzzing.fuzz_reports(reports)
    if beside_others:
        rows += peers.measure(repeats)
    publish("drift", rows, ["numpy", "scipy", "scikit-learn"])
    plot.save(rows, real_stream_verdicts.evidence(data), FOLDER / "drift.png")
