"""Jobs at the same time, each in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from devtools.commands import end_followed


def run_concurrently(*jobs: Callable[[], None]) -> None:
    """Run the jobs and return when all are done.

    When one fails, or the person at the terminal interrupts, the programs that the others wait for are ended. Raises what the first
    failure was.
    """
    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(job) for job in jobs]
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for job in done:
                job.result()
        except BaseException:
            end_followed()
            raise
