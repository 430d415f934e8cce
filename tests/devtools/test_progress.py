"""What steps print, also where two of them run at the same time."""

import io

from rich.console import Console

from devtools.progress import Steps


def test_steps_may_overlap_and_each_ends_with_a_line() -> None:
    output = io.StringIO()
    steps = Steps(Console(file=output, force_terminal=True, width=80))
    with steps.step("outer") as outer:
        with steps.step("inner") as inner:
            inner.note("half of it")
        outer.note("the rest")
    with steps.step("afterwards"):
        pass
    lines = [line for line in output.getvalue().splitlines() if "ok" in line]
    assert [name for line in lines for name in ("outer", "inner", "afterwards") if name in line.partition("ok")[2]] == [
        "inner",
        "outer",
        "afterwards",
    ]
