"""The README's example runs as it stands there, and prints what is said there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "detection" / "README.md"


def test_the_example_has_ten_lines_and_prints_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text()
    (code,), (output,) = (re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) for language in ("python", "text"))
    assert len([line for line in code.splitlines() if line]) <= 10
    exec(compile(code, str(README), "exec"), {})  # noqa: S102 (our own README)
    assert capsys.readouterr().out == output
