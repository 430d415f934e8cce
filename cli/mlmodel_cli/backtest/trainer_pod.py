"""A trainer pod without a cluster: the image's own command ``train`` in this process, with the environment of the pod's container.

Not here: which pods a Job has (``kubelet.py``).
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from mlmodel_contract.environment import ENV_INDEX, PATH_TERMINATION
from mlmodel_operator.cluster.cache import Body
from model_server.runtime.paths import resolve_path
from model_server.train.command import run_stage

_LOGGER = "model_server"


@dataclass(frozen=True)
class PodEnd:
    """How a pod's container ended: its termination message, or the last line of its log, and the seconds of CPU that it took."""

    message: str
    exit_code: int
    cpu_seconds: float


class _LastLine(logging.Handler):
    """Remembers the last error that was logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


def run_trainer(job: Body, index: int) -> PodEnd:
    """Run one pod of a Job to its end; an exception is a crash, as in a container."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    variables = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    termination = resolve_path(PATH_TERMINATION)
    termination.parent.mkdir(parents=True, exist_ok=True)
    termination.unlink(missing_ok=True)
    started = time.process_time()
    with environment({**variables, ENV_INDEX: str(index)}), _last_line() as log:
        try:
            exit_code = run_stage()
        except Exception as error:  # whatever ends the container's process
            log.text, exit_code = f"{type(error).__name__}: {error}", 1
    message = termination.read_text() if exit_code == 0 else log.text
    return PodEnd(message, exit_code, time.process_time() - started)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block, and put back those that were there before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _last_line() -> Iterator[_LastLine]:
    handler, logger = _LastLine(), logging.getLogger(_LOGGER)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
