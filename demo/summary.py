"""The end of the demonstration on the terminal: every version, what was saved, the requirements, where the time went, what to try next.

Not here: the verdict itself.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mlmodel_cli.backtest.result import ScheduleResult
from mlmodel_cli.backtest.summary import comparison_table, money_text, schedule_name
from mlmodel_contract.version import ModelVersionSpec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.scenario import MODEL, NAMESPACE
from demo.story import Story, Version
from demo.verdict import Requirement
from demo.worth import Worth


def print_versions(console: Console, story: Story) -> None:
    """Print one row for each version: why it was made, how it was judged, how it served."""
    table = Table(title="Versions, each made and judged by the operator alone", show_lines=True)
    for name in ("", "made for", "learnt from", "on the holdout", "against the live one", "decided", "answered"):
        table.add_column(name)
    for name, version in sorted(story.versions.items(), key=lambda item: item[1].spec.run):
        spec = version.spec
        made = f"{spec.reason.value}\n{spec.candidate or ''}"
        cells = [_short(name), made, _data(spec), _holdout(spec), _comparison(spec), _decision(version), _served(story, name)]
        table.add_row(*cells)
    console.print(table)


def print_worth(console: Console, worth: Worth) -> None:
    """Print what was served beside all that it is compared with, and what was saved against never retraining and a monthly schedule."""
    result = worth.result
    console.print(comparison_table(result, title="Beside never retraining and monthly schedules, on the same flights"))
    served = int(np.isfinite(result.judgement.losses).sum())
    console.print(f"Mean log loss of {served:,} live predictions: {result.mean_loss:.4f}.", highlight=False)
    for words, schedule in (("never retraining", worth.first), ("a monthly schedule", worth.monthly)):
        if schedule is not None:
            console.print(saved_sentence(worth, words, schedule), highlight=False, soft_wrap=True)


def saved_sentence(worth: Worth, words: str, schedule: ScheduleResult) -> str:
    """Say what was saved against a schedule."""
    money, result = worth.saved_money(schedule), worth.result
    amount = "" if money is None else f", and {money_text(money, result.currency)}"
    name = schedule_name(result, schedule)
    return f"Saved against {words} ({name}: {schedule.mean_loss:.4f}): {worth.saved_loss(schedule):,.0f} nats{amount}."


def print_requirements(console: Console, requirements: Sequence[Requirement]) -> None:
    """Print what had to be shown, and whether it was."""
    for requirement in requirements:
        sign = "[bold green]yes[/bold green]" if requirement.met else "[bold red]NO [/bold red]"
        console.print(f"{sign} {escape(requirement.wanted)}: {escape(requirement.found)}", highlight=False)


def print_times(console: Console, spent: Sequence[tuple[str, float]], elapsed: float) -> None:
    """Print where the time went, in seconds; the steps may add up to more than ``elapsed``, since some overlap."""
    table = Table(title="Where the time went", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for text, seconds in spent:
        table.add_row(escape(text), f"{seconds:.0f} s")
    table.add_section()
    table.add_row("in all, where steps overlapped" if sum(seconds for _, seconds in spent) > elapsed else "in all", f"{elapsed:.0f} s")
    console.print(table)


def print_next(console: Console, shell_lines: Sequence[str], plot: Path) -> None:
    """Print what to try next."""
    for line in (
        f"The picture is in {_near(plot)}. The cluster stays up. To look around:",
        "",
        *shell_lines,
        f"kubectl get mlmodels,modelversions -n {NAMESPACE}",
        f"kubectl describe mlmodel {MODEL} -n {NAMESPACE}",
        "kubectl explain mlmodel.spec.objective",
        f"kubectl annotate mlmodel {MODEL} -n {NAMESPACE} --overwrite mlmodel.dev/retrain=now",
        f"kubectl annotate mlmodel {MODEL} -n {NAMESPACE} --overwrite mlmodel.dev/rollback-to={MODEL}-v1",
        f"kubectl scale mlmodel {MODEL} -n {NAMESPACE} --replicas=3",
        "",
        "make cluster-down    # removes the cluster and all that it left on this machine",
    ):
        console.print(escape(line), highlight=False, soft_wrap=True)


def _short(name: str) -> str:
    return name.removeprefix(f"{MODEL}-")


def _served(story: Story, name: str) -> str:
    rows, loss, first, last = story.served_by(name)
    return f"{first:%d %b} to {last:%d %b}\n{rows:,} flights\nloss {loss:.3f}" if first and last else "nothing yet"


def _data(spec: ModelVersionSpec) -> str:
    if spec.data is None:
        return "-"
    span = f"{spec.data.start[:10]} to\n{spec.data.end[:10]}" if spec.data.start and spec.data.end else ""
    return f"{span}\n{spec.data.train_rows + spec.data.holdout_rows:,} rows"


def _holdout(spec: ModelVersionSpec) -> str:
    if spec.metrics is None:
        return "-"
    named = {"AUC": spec.metrics.roc_auc, "loss": spec.metrics.log_loss}
    return "\n".join(f"{name} {estimate.value:.3f}" for name, estimate in named.items() if estimate)


def _comparison(spec: ModelVersionSpec) -> str:
    if spec.comparison is None:
        return "-"
    theirs, difference = spec.comparison.metrics.roc_auc, spec.comparison.difference
    auc = f"{_short(spec.comparison.champion)} has AUC {theirs.value:.3f}\n" if theirs else ""
    return f"{auc}loss {difference.value:+.3f}\n{difference.low:+.3f} to {difference.high:+.3f}"


def _decision(version: Version) -> str:
    phase = version.status.phase
    return f"{version.spec.decision.verdict.value}:\n{version.spec.decision.reason}" + (f"\nnow {phase.value}" if phase else "")


def _near(path: Path) -> Path:
    """Return the path relative to the working folder, where it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
