"""Training rows and live rows of a feature side by side: two rows of bars, slot above slot, that fit into a terminal.

Pure. Not here: where the counts are from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlmodel_contract.report import FeatureKind
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from .terminal_escape import escape

_BARS = "▁▂▃▄▅▆▇█"
_LABEL_WIDTH = 12  # cells before the bars: what the row is
_SPECIAL_WIDTH = 9  # cells of the slots of other and missing values: "missing" and two more
_MAX_WIDTH = 12  # cells of any other slot, and of its name below the bars
_NAMED = 3  # slots that are named


@dataclass(frozen=True)
class Histogram:
    """Training rows and live rows by slot; ``slots`` are the slots' names, which a report may lack."""

    name: str
    kind: FeatureKind
    slots: tuple[str, ...]
    reference: tuple[int, ...]
    live: tuple[int, ...]


@dataclass(frozen=True)
class _Column:
    """A slot, or neighbouring slots together, as shares of all rows."""

    name: str
    reference: float
    live: float


def render_histogram(histogram: Histogram, width: int) -> Text:
    """Return the bars, the names of the slots as far as there is room, and the slots whose share changed most."""
    columns = _columns(histogram)
    specials = 2 if histogram.kind is FeatureKind.CATEGORICAL else 1  # other and missing, or missing
    main, special = columns[:-specials], columns[-specials:]
    room = max(2, width - _LABEL_WIDTH - specials * _SPECIAL_WIDTH)
    main = _categories(main, room) if histogram.kind is FeatureKind.CATEGORICAL else _numbers(main, room)
    cells = min(_MAX_WIDTH, room // max(1, len(main)))
    top = max(share for column in columns for share in (column.reference, column.live))
    before = _bars([one.reference for one in main], [one.reference for one in special], cells, top)
    after = _bars([one.live for one in main], [one.live for one in special], cells, top)
    names = _names([one.name for one in main], [one.name for one in special], cells)
    rows = [
        Text.assemble("  reference".ljust(_LABEL_WIDTH), (before, "cyan")),
        Text.assemble("  live".ljust(_LABEL_WIDTH), (after, "magenta")),
        Text(" " * _LABEL_WIDTH + names, "dim"),
    ]
    for row in rows:
        row.truncate(width)
    return Text("\n").join([*rows, Text(f"  a full bar is {top:.1%} of the rows; most changed: {_most_changed(columns)}")])


def _columns(histogram: Histogram) -> list[_Column]:
    names = histogram.slots or tuple(f"slot {index}" for index in range(1, len(histogram.live) + 1))
    counts = zip(names, _shares(histogram.reference), _shares(histogram.live), strict=True)
    return [_Column(escape(name), reference, live) for name, reference, live in counts]


def _shares(rows: Sequence[int]) -> list[float]:
    return [count / max(1, sum(rows)) for count in rows]


def _numbers(columns: Sequence[_Column], room: int) -> list[_Column]:
    """Put neighbours together; each name is an upper edge and so the last one's, and the slot that has none stays by itself."""
    if len(columns) <= room:
        return list(columns)
    inner, size = columns[:-1], math.ceil((len(columns) - 1) / (room - 1))
    groups = [inner[start : start + size] for start in range(0, len(inner), size)]
    return [*(_merge(group, group[-1].name) for group in groups), columns[-1]]


def _categories(columns: Sequence[_Column], room: int) -> list[_Column]:
    """Put the rarest together, which come last."""
    if len(columns) <= room:
        return list(columns)
    return [*columns[: room - 1], _merge(columns[room - 1 :], f"{len(columns) - room + 1} more")]


def _merge(columns: Sequence[_Column], name: str) -> _Column:
    return _Column(name, sum(column.reference for column in columns), sum(column.live for column in columns))


def _bars(main: Sequence[float], special: Sequence[float], cells: int, top: float) -> str:
    wide = "".join((_bar(share, top) * max(1, cells - 1)).ljust(cells) for share in main)
    return wide + "".join(f"  {_bar(share, top) * (_SPECIAL_WIDTH - 2)}" for share in special)


def _bar(share: float, top: float) -> str:
    """Return one of eight heights; a share above 0 is always visible."""
    return _BARS[min(7, int(share / top * 8))] if share > 0 else " "


def _names(main: Sequence[str], special: Sequence[str], cells: int) -> str:
    """Return the names under their bars, each as long as it can be, and none where the one before it leaves no room."""
    line, end = "", cells * len(main)
    for index, name in enumerate(main):
        start = index * cells
        shown = _cut(name, _MAX_WIDTH - 1)
        if cell_len(line) <= start and start + cell_len(shown) <= end:
            line = set_cell_size(line, start) + shown + " "
    return set_cell_size(line, end) + "".join(f"  {set_cell_size(_cut(name, _SPECIAL_WIDTH - 2), _SPECIAL_WIDTH - 2)}" for name in special)


def _cut(name: str, cells: int) -> str:
    return name if cell_len(name) <= cells else set_cell_size(name, cells - 1) + "…"


def _most_changed(columns: Sequence[_Column]) -> str:
    """Name the slots whose share changed most, with the numbers that the operator calls them by."""
    order = sorted(range(len(columns)), key=lambda index: -abs(columns[index].live - columns[index].reference))
    named = [(f"slot {index + 1}", columns[index]) for index in order[:_NAMED]]
    return ", ".join(
        f"{number if column.name == number else f'{number} ({column.name})'} {column.reference:.1%} to {column.live:.1%}"
        for number, column in named
    )
