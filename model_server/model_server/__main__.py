"""The commands of the image: ``model-server fetch | serve | monitor | train``.

Each imports what it needs when it runs, so that a sidecar does not carry scikit-learn. Not here: the work.
"""

import argparse
import logging
import os
import sys
from functools import partial

from mlmodel_contract.environment import COMMAND_FETCH, COMMAND_MONITOR, COMMAND_SERVE, COMMAND_TRAIN, ENV_POD
from mlmodel_contract.pod import PodDocument

from .runtime.cpu_limits import pin_threads, processors
from .runtime.memory import use_one_heap
from .runtime.supervision import supervise
from .runtime.workers import WorkerChannel, run_workers


def fetch() -> int:
    """Bring the pod's bundle from the store into the pod, and check its digest."""
    from .bundle.command import run_fetch

    return run_fetch()


def serve() -> int:
    """Serve the pod's bundle over REST and gRPC, with as many processes as the manifest says."""
    document = PodDocument.model_validate_json(os.environ[ENV_POD])
    workers = document.serving.workers if document.serving else 1
    pin_threads(max(1, processors() // workers))
    work = partial(_serve, document)
    return work() if workers == 1 else run_workers(workers, work)


def monitor() -> int:
    """Count what the server beside it predicts, take feedback, and report; as a container's first process, start again what dies."""
    pin_threads(1)
    use_one_heap()
    return supervise(_monitor) if os.getpid() == 1 else _monitor()


def _serve(document: PodDocument, channel: WorkerChannel | None = None) -> int:
    from .serve import run_server

    return run_server(document, channel)


def _monitor() -> int:
    from .monitor import run_monitor

    return run_monitor()


def train() -> int:
    """Do one stage of a run and leave its result in the termination message."""
    from .train.command import run_stage

    return run_stage()


_COMMANDS = {COMMAND_FETCH: fetch, COMMAND_SERVE: serve, COMMAND_MONITOR: monitor, COMMAND_TRAIN: train}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="model-server", description="Model server, monitor sidecar and trainer of the MLModel operator.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, work in _COMMANDS.items():
        commands.add_parser(name, help=work.__doc__, description=work.__doc__)
    return parser


def main() -> None:
    """Run the command that the arguments name."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(_COMMANDS[_parser().parse_args().command]())


if __name__ == "__main__":
    main()
