"""Work on all cores, with progress."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.progress import track

from benchmarks.table import cores

Task = TypeVar("Task")
Result = TypeVar("Result")


def each(work: Callable[[Task], Result], tasks: Sequence[Task], what: str) -> list[Result]:
    """Return the result for each task, in their order."""
    with ProcessPoolExecutor(cores()) as pool:
        return list(track(pool.map(work, tasks, chunksize=1), what, total=len(tasks)))
