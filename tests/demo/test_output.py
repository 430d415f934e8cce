"""What the person sees: the live view, the lines, the summary and the picture."""

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mlmodel_contract.status import MLModelStatus, Phase
from rich.console import Console

from demo import plot, summary
from demo.narrator import LineNarrator
from demo.screen import Progress, draw
from demo.story import Observation, Story
from demo.verdict import check_requirements
from tests.demo.support.stories import ACCEPTED, BEGAN, CHAMPION_BETTER, day, decision, story, version
from tests.demo.support.worths import worth

STATUS = {
    "live": {"version": "flight-delay-v1", "since": "2026-01-01T11:00:00Z", "readyReplicas": 2},
    "run": {
        "number": 2,
        "reason": "Performance",
        "stage": "Train",
        "state": "Running",
        "started": "2026-01-01T12:00:00Z",
        "progress": "2 of 4 trials",
    },
    "objective": [{"metric": "roc_auc", "bound": ">= 0.65", "value": 0.61, "met": False, "summary": "roc_auc 0.61 >= 0.65"}],
    "drift": {
        "state": "Confirmed",
        "harm": "Confirmed",
        "message": "the loss rose",
        "features": [{"name": "temp", "evidence": 41.0}, {"name": "dewp", "evidence": 7.0}],
    },
}


def example_story() -> Story:
    status = MLModelStatus.model_validate(STATUS).model_copy(update={"decisions": [decision("RunStarted", 3, "the loss rose to [0.7]")]})
    versions = {"flight-delay-v1": version("Initial", ACCEPTED, Phase.LIVE), "flight-delay-v2": version("Drift", CHAMPION_BETTER, None)}
    days = tuple(day(number, v1=(100, 40.0)) for number in range(10))
    return story(days).updated(Observation(status, versions, "Succeeded"), days)


def printed(draw_on: Console) -> str:
    assert isinstance(draw_on.file, io.StringIO)
    return draw_on.file.getvalue()


def console() -> Console:
    return Console(file=io.StringIO(), width=160, force_terminal=False)


@pytest.mark.parametrize("shown", [example_story(), Story(example_story().scenario)], ids=["in mid-replay", "before anything"])
def test_view_can_be_drawn_at_any_time(shown: Story) -> None:
    on = console()
    on.print(draw(shown, Progress(datetime.now(UTC), "waiting", 75.0)))
    assert "1:15" in printed(on)


def test_view_shows_decisions_with_their_day_run_objective_drift_and_losses() -> None:
    on = console()
    on.print(draw(example_story(), Progress(BEGAN, "waiting", 0.0)))
    for expected in ("RunStarted", "02 Apr", "the loss rose to [0.7]", "2 of 4 trials", "roc_auc 0.61", "temp", "0.400", "+0.600"):
        assert expected in printed(on)


def test_lines_show_everything_new_once() -> None:
    on = console()
    narrator = LineNarrator(on)
    narrator.show(example_story(), "waiting", 1.0)
    narrator.show(example_story(), "waiting", 2.0)
    lines = printed(on)
    assert lines.count("RunStarted on 02 Apr: the loss rose to [0.7]") == 1
    assert lines.count("week of 01 Apr: 700 flights, log loss 0.400, first version alone 1.000 (v1)") == 1
    assert "week of 08 Apr" not in lines  # it is not over


def test_summary_names_versions_losses_requirements_and_times() -> None:
    on, shown = console(), example_story()
    summary.print_versions(on, shown)
    summary.print_worth(on, worth(0.4))
    summary.print_times(on, [("cluster", 12.4), ("replay", 60.0)], elapsed=65.0)
    summary.print_requirements(on, check_requirements(shown, worth(0.4)))
    for expected in ("ChampionBetter", "Mean log loss of 120 live predictions: 0.4000", "12 s", "65 s", "yes", "linear, all rows, every 4"):
        assert expected in printed(on)


def test_summary_says_what_was_saved_in_loss_and_in_money_where_there_is_a_value() -> None:
    loss_alone, money = console(), console()
    summary.print_worth(loss_alone, worth(0.4))
    summary.print_worth(money, worth(0.4, amounts=(-100.0, -130.0, -90.0)))
    never, monthly = "Saved against never retraining (the first version, alone, never: 0.6000)", "Saved against a monthly schedule"
    assert f"{never}: 24 nats." in printed(loss_alone)
    assert "USD" not in printed(loss_alone)
    assert f"{never}: 24 nats, and 3,600 USD." in printed(money)
    assert f"{monthly} (linear, all rows, every 4 weeks: 0.5000): 12 nats, and -1,200 USD." in printed(money)


def texts(axes: Axes) -> str:
    """All words of a part of a picture."""
    legend = axes.get_legend()
    words = [axes.get_ylabel(), *(text.get_text() for text in axes.texts), *(text.get_text() for text in (legend.texts if legend else ()))]
    return "; ".join(words)


def test_picture_has_losses_bound_decisions_and_what_was_saved_against_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    decisions = tuple(decision(word, 86_400.0) for word in ("RunStarted", "Promoted", "ChampionKept", "Returned"))
    plot.save(example_story(), worth(0.4, amounts=(-100.0, -130.0, -90.0), log=decisions), tmp_path / "flights.png")
    losses, saved = drawn[0].axes
    for words in ("flight-delay: 0.4000", "the first version, alone, never: 0.6", "linear, all rows, every 4 weeks: 0.5", "at most 0.6"):
        assert words in texts(losses)
    for words in ("Promoted v2", "ChampionKept v2", "Returned v2"):
        assert words in texts(losses)
    assert "USD saved, running sum" in texts(saved)
    labelled = {str(line.get_label()): np.asarray(line.get_ydata()) for line in saved.lines}
    ends = {label.split(",")[0]: values[-1] for label, values in labelled.items() if "against" in label}
    assert ends == {"against linear": -1200.0, "against the first version": 3600.0}


def test_picture_is_a_png(tmp_path: Path) -> None:
    plot.save(example_story(), worth(0.4), tmp_path / "new" / "flights.png")
    assert (tmp_path / "new" / "flights.png").read_bytes().startswith(b"\x89PNG")
