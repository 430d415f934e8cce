"""The live view in a terminal: what the operator decided and why, versions, traffic, loss by week, drift by feature.

A pure function from the story to something that rich can draw. Not here: when it is drawn.
"""

from dataclasses import dataclass
from datetime import datetime

from mlmodel_contract.status import DriftStatus, MLModelStatus
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.scenario import MODEL, NAMESPACE
from demo.story import Story, Week

_WEEKS = 6
_DECISIONS = 5
_FEATURES = 5
_BAR = 20
_COLOURS = {
    "Promoted": "bold green",
    "Accepted": "green",
    "Rejected": "yellow",
    "RunStarted": "cyan",
    "RunFailed": "red",
    "DataInvalid": "red",
    "RolloutFailed": "red",
}


@dataclass(frozen=True)
class Progress:
    """When the view is drawn, what is waited for, and for how many seconds the demonstration has run."""

    now: datetime
    waiting_for: str
    elapsed: float


def draw(story: Story, progress: Progress) -> RenderableType:
    """Return the whole view."""
    upper = Table.grid(expand=True, padding=(0, 1))
    upper.add_column(ratio=3)
    upper.add_column(ratio=2)
    upper.add_row(Panel(_model(story.status), title=f"{NAMESPACE}/{MODEL}"), Panel(_traffic(story), title="requests"))
    lower = Table.grid(expand=True, padding=(0, 1))
    lower.add_column(ratio=3)
    lower.add_column(ratio=2)
    lower.add_row(Panel(_weeks(story.weeks[-_WEEKS:]), title="loss by week"), Panel(_drift(story.status.drift), title="drift"))
    return Group(_headline(story, progress), upper, Panel(_decisions(story), title="what the operator decided, and why"), lower)


def clock(seconds: float) -> str:
    """Write seconds as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _headline(story: Story, progress: Progress) -> Text:
    scenario, day = story.scenario, story.day_at(progress.now)
    shown = f"{day:%d %b %Y}, day {(day - scenario.first).days + 1} of {scenario.days}" if day else "the replay has not begun"
    pace = f"a day is replayed in {scenario.seconds_per_day:g} s"
    return Text.assemble(
        (f" {shown}", "bold"), f"  ({pace})  {clock(progress.elapsed)}  {progress.waiting_for}", overflow="ellipsis", no_wrap=True
    )


def _model(status: MLModelStatus) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    live, candidate, run = status.live, status.candidate, status.run
    table.add_row("live", Text(f"{live.version}, {live.ready_replicas} ready" if live else "none yet", "green" if live else ""))
    table.add_row("candidate", f"{candidate.version}, {candidate.ready_replicas} ready" if candidate else "none")
    table.add_row("run", f"{run.number} ({run.reason.value}): {run.stage.value}, {run.state}: {run.progress}" if run else "none")
    for criterion in status.objective:
        table.add_row("objective", Text(criterion.summary, "" if criterion.met is not False else "red"))
    return table


def _traffic(story: Story) -> Table:
    totals = story.totals
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right")
    table.add_row("sent", f"{totals.requests:,}")
    table.add_row("failed", Text(f"{totals.failed:,}", "bold red" if totals.failed else "bold green"))
    table.add_row("flights predicted", f"{totals.rows:,}")
    table.add_row("outcomes returned", f"{totals.feedback_accepted:,}")
    table.add_row("slowest", f"{totals.slowest_ms:,.0f} ms")
    return table


def _decisions(story: Story) -> Table:
    """Return the newest decision in full, those before it in a line each."""
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    shown = story.decisions[-_DECISIONS:]
    for decision in shown:
        entry, newest = decision.entry, decision is shown[-1]
        day = f"{decision.day:%d %b}" if decision.day else "-"
        message = Text(entry.message, no_wrap=not newest, overflow="fold" if newest else "ellipsis")
        table.add_row(entry.time[11:19], day, Text(entry.decision, _COLOURS.get(entry.decision, "")), message)
    return table


def _weeks(weeks: list[Week]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("week of", "flights", "live", "first alone", "gain", "answered by"):
        table.add_column(name, justify="left" if name in ("week of", "answered by") else "right", no_wrap=True)
    for week in weeks:
        gain = week.first - week.live if week.first is not None else 0.0
        table.add_row(
            f"{week.start:%d %b}",
            f"{week.rows:,}",
            f"{week.live:.3f}",
            f"{week.first:.3f}" if week.first is not None else "",
            Text(f"{gain:+.3f}", "green" if gain > 0.0005 else "red" if gain < -0.0005 else "dim"),
            ", ".join(version.removeprefix(f"{MODEL}-") for version in week.versions),
        )
    return table


def _drift(drift: DriftStatus | None) -> RenderableType:
    if drift is None:
        return Text("nothing is known yet")
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    strongest = max((feature.evidence for feature in drift.features), default=1.0)
    for feature in drift.features[:_FEATURES]:
        table.add_row(feature.name, f"{feature.evidence:,.0f}", Text("█" * max(1, round(_BAR * feature.evidence / strongest)), "magenta"))
    return Group(
        Text(f"inputs: {drift.state}, harm: {drift.harm}", "bold"), Text(drift.message, "dim", no_wrap=True, overflow="ellipsis"), table
    )
