"""The commands of the image: ``model-server fetch | serve | monitor | train``.

Each imports what it needs when it runs, so that a sidecar does not carry scikit-learn. Not here: the work.
"""

import logging
import os
import sys

import typer
from mlmodel_contract.environment import COMMAND_FETCH, COMMAND_MONITOR, COMMAND_SERVE, COMMAND_TRAIN, ENV_POD
from mlmodel_contract.pod import PodDocument

from .processors import pin_threads, processors
from .supervision import supervise
from .workers import Link, run_workers

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, help="Model server, monitor sidecar and trainer of the MLModel operator."
)


@app.command(COMMAND_FETCH)
def fetch_command() -> None:
    """Bring the pod's bundle from the store into the pod, and check its digest."""
    from .bundle.command import run_fetch

    sys.exit(run_fetch())


@app.command(COMMAND_SERVE)
def serve_command() -> None:
    """Serve the pod's bundle over REST and gRPC, with as many processes as the manifest says."""
    settings = PodDocument.model_validate_json(os.environ[ENV_POD]).serving
    workers = settings.workers if settings else 1
    pin_threads(max(1, processors() // workers))
    sys.exit(_serve() if workers == 1 else run_workers(workers, _serve))


@app.command(COMMAND_MONITOR)
def monitor_command() -> None:
    """Count what the server beside it predicts, take feedback, and report; as a container's first process, start again what dies."""
    pin_threads(1)
    sys.exit(supervise(_monitor) if os.getpid() == 1 else _monitor())


def _serve(link: Link | None = None) -> int:
    from .serve import run_server

    return run_server(link)


def _monitor() -> int:
    from .monitor import run_monitor

    return run_monitor()


@app.command(COMMAND_TRAIN)
def train_command() -> None:
    """Do one stage of a run and leave its result in the termination message."""
    from .train.command import run_stage

    sys.exit(run_stage())


def main() -> None:
    """Run the command that the arguments name."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    app()


if __name__ == "__main__":
    main()
