"""Which rows judge a run, and which ones a recipe is fitted on."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlmodel_contract.manifest import Window
from model_server.train.data.splits import choose_holdout, newest_share, window_start

ROWS = st.integers(2, 5_000)


def test_the_newest_share_judges_a_first_run() -> None:
    assert newest_share(100, 0.2) == 80
    assert newest_share(2, 0.01) == newest_share(2, 0.89) == 1, "neither part is empty"


@example(rows=40, seen=0, changed=0, share=0.5)  # all rows that are kept are of the changed world
@given(rows=ROWS, seen=st.integers(0, 5_000), changed=st.none() | st.integers(0, 5_000), share=st.floats(0.01, 0.89))
def test_some_rows_judge_and_some_are_learnt_from_whatever_is_new(rows: int, seen: int, changed: int | None, share: float) -> None:
    chosen = choose_holdout(rows, min(seen, rows), changed if changed is None else min(changed, rows), share)
    assert 0 < chosen.start < rows
    if chosen.unseen:
        assert chosen.start >= min(seen, rows), "no earlier run has learnt from a row that judges"


def test_what_is_new_judges_a_later_run() -> None:
    chosen = choose_holdout(1_000, 800, None, 0.2)
    assert (chosen.start, chosen.unseen) == (800, True)
    chosen = choose_holdout(1_000, 700, None, 0.01)
    assert (chosen.start, chosen.unseen) == (700, True), "all of it, whatever the share of a first run"


@pytest.mark.parametrize("seen", [1_000, 999, 990])
def test_where_hardly_a_row_is_new_the_newest_share_judges_and_is_known_to_have_been_learnt_from(seen: int) -> None:
    chosen = choose_holdout(1_000, seen, None, 0.3)
    assert (chosen.start, chosen.unseen) == (700, False)


def test_where_most_rows_are_new_the_newest_share_of_them_judges() -> None:
    """Else a run that comes late would learn from a few old rows alone."""
    chosen = choose_holdout(1_000, 100, None, 0.2)
    assert (chosen.start, chosen.unseen) == (800, True)


def test_after_a_change_the_new_world_judges() -> None:
    chosen = choose_holdout(1_000, 600, 700, 0.2)
    assert (chosen.start, chosen.unseen) == (700, True)
    assert choose_holdout(1_000, 600, 990, 0.2).start == 600, "too few rows are of the new world"
    assert choose_holdout(1_000, 600, 500, 0.2).start == 600, "a run has learnt from the new world"


@given(window=st.sampled_from(Window), rows=ROWS, changed=st.none() | st.integers(0, 5_000))
def test_the_newest_row_is_in_every_window(window: Window, rows: int, changed: int | None) -> None:
    assert 0 <= window_start(window, rows, changed) < rows


def test_windows_begin_where_their_names_say() -> None:
    assert window_start(Window.ALL, 1_000, 400) == 0
    assert 0 < window_start(Window.RECENT, 1_000, 400) < 1_000
    assert window_start(Window.RECENT, 10, None) == 0, "a quarter of little is nothing"
    assert window_start(Window.SINCE_CHANGE, 1_000, 400) == 400
    assert window_start(Window.SINCE_CHANGE, 1_000, None) == 0
