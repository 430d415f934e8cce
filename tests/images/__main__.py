"""`python -m tests.images [TARGET...]` builds the images and prints their names and archives."""

import sys

from tests.cluster.errors import ClusterError
from tests.cluster.images import name_in
from tests.cluster.progress import Steps
from tests.images.build import build, build_s3
from tests.images.names import IMAGES

_S3 = "versitygw"


def main() -> None:
    """Build the named targets, or all of them."""
    steps = Steps()
    try:
        for target in sys.argv[1:] or (*IMAGES, _S3):
            with steps.step(f"image {target}") as step:
                archive = build_s3(step.note) if target == _S3 else build(target, step.note)
            sys.stdout.write(f"{name_in(archive)} {archive}\n")
    except ClusterError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
