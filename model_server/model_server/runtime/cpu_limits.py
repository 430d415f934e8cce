"""How many CPUs this container may use, and numeric libraries limited to as many threads.

Numeric libraries start a thread for every CPU of the machine, also where the container's CPU limit is far below it; the
threads then wait for each other. Not here: anything that imports one of those libraries, since they read their settings when imported.
"""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def available_cpus(without_limit: int | None = None) -> int:
    """Return the CPU limit of the container rounded up, at least 1; where it has none, the number of usable CPUs.

    Args:
        without_limit: the most that is returned where there is no limit; a whole machine is seldom meant.

    """
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = _CGROUP.read_text().split()
        return max(1, min(usable, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max": no limit
        return usable if without_limit is None else min(usable, without_limit)


def limit_threads(count: int) -> None:
    """Limit OpenMP and BLAS to ``count`` threads, unless the environment already says otherwise; call it before they are imported."""
    for variable in _VARIABLES:
        os.environ.setdefault(variable, str(count))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or idle threads spin, and take CPU time from other pods
