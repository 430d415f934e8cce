"""Waiting for a condition with a deadline, the only way in which anything here passes time."""

from collections.abc import Callable
from typing import TypeVar

import tenacity

from devtools.errors import DevtoolsError

T = TypeVar("T")


def wait_until(check: Callable[[], T], what: str, seconds: float, pause: float = 0.1, not_yet: tuple[type[Exception], ...] = ()) -> T:
    """Call `check` every `pause` seconds until its result is true, and return it.

    What it raises of `not_yet` counts as not true; any other exception ends the wait at once. Raises `DevtoolsError` naming `what` after
    `seconds`.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(pause),
        retry=tenacity.retry_if_result(lambda result: not result) | tenacity.retry_if_exception_type(not_yet),
    )
    try:
        return retrying(check)
    except tenacity.RetryError as error:
        raise DevtoolsError(f"{what}: not so after {seconds:g} s") from error
