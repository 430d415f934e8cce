"""A coverage-guided fuzzer of the decoders: ``python -m tests.model_server.support.guided_fuzz FOLDER [RUNS]``.

It starts from valid bodies, writes what it found to FOLDER, and ends with a failure and the body at the first one that breaks the rule of
``fuzzing.py``. Run as a process of its own, since it ends the process. Not here: the rule.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["model_server.serve"]):
    from tests.model_server.support.fuzzing import entry_points, good

from devtools.bundles import late_flights
from tests.model_server.support.data_planes import plane

_RUNS = "20000"


def main(folder: Path, runs: str) -> None:
    """Fuzz all entry points; a body's first byte is the index of one, the next two are the length of its JSON."""
    found = folder / "found"
    found.mkdir(parents=True)
    targets = list(entry_points(plane(folder / "bundle", late_flights())).items())
    for name, (body, length) in good().items():
        index = [target for target, _ in targets].index(name.partition(",")[0])
        (found / name).write_bytes(bytes([index]) + length.to_bytes(2, "little") + body)

    def once(data: bytes) -> None:
        if len(data) >= 3:
            targets[data[0] % len(targets)][1](data[3:], int.from_bytes(data[1:3], "little"))

    atheris.Setup(
        [sys.argv[0], str(found), f"-runs={runs}", f"-artifact_prefix={folder}/", "-max_len=4096", "-verbosity=0", "-seed=1"], once
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else _RUNS)
