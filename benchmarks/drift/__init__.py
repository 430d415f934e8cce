"""The drift benchmark: what ``docs/drift.md`` promises, measured through the product's own code beside other detectors."""

from pathlib import Path

from benchmarks.drift import alarms, cost, delays, hostile_reports, peers, plot, real_verdicts
from benchmarks.table import FOLDER, Row, publish


def run(number: int, repeats: int, reports: int, data: Path | None, *, beside_others: bool) -> None:
    """Measure everything, print the table and write ``.bench/drift.json`` and ``.bench/drift.png``."""
    rows: list[Row] = []
    rows += cost.costs()
    rows += delays.delays(repeats)
    rows += delays.tolerated(repeats)
    rows += alarms.dependent_alarms(data, repeats)
    rows += real_verdicts.verdicts(data)
    rows += alarms.independent_alarms(number)
    rows += hostile_reports.fuzzed(reports)
    if beside_others:
        rows += peers.measure(repeats)
    publish("drift", rows, ["numpy", "scipy", "scikit-learn"])
    plot.save(rows, real_verdicts.evidence(data), FOLDER / "drift.png")
