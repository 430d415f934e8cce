"""Two jobs at the same time, each in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from devtools.commands import end_followed

First = TypeVar("First")
Second = TypeVar("Second")


def run_both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Run both jobs and return their results when both are done.

    When one fails, or the person at the terminal interrupts, the program that the other waits for is ended. Raises the first failure.
    """
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.submit(first), pool.submit(second)
        jobs: list[Future[Any]] = [one, other]
        try:
            for done in wait(jobs, return_when=FIRST_EXCEPTION).done:
                done.result()
            return one.result(), other.result()
        except BaseException:
            end_followed()
            raise
