"""Waiting for a condition with a deadline, the only way in which anything here passes time."""

from collections.abc import Callable

import tenacity

from devtools.errors import DevtoolsError


def wait_until(check: Callable[[], bool], what: str, seconds: float, pause: float = 0.1) -> None:
    """Call `check` every `pause` seconds until it is true.

    Raises `DevtoolsError` naming `what` after `seconds`. What `check` itself raises ends the wait at once.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(pause),
        retry=tenacity.retry_if_result(lambda done: not done),
    )
    try:
        retrying(check)
    except tenacity.RetryError as error:
        raise DevtoolsError(f"{what}: not so after {seconds:.0f} s") from error
