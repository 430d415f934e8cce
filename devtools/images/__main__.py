"""`python -m devtools.images [TARGET...]` builds the images and prints their names and archives."""

import sys

from devtools.cluster.image_archives import name_in
from devtools.errors import DevtoolsError
from devtools.images.build import build, build_s3
from devtools.images.names import IMAGES
from devtools.progress import Steps

_S3 = "versitygw"


def main() -> None:
    """Build the named targets, or all of them."""
    steps = Steps()
    try:
        for target in sys.argv[1:] or (*IMAGES, _S3):
            with steps.step(f"image {target}") as step:
                archive = build_s3(step.note) if target == _S3 else build(target, step.note)
            sys.stdout.write(f"{name_in(archive)} {archive}\n")
    except DevtoolsError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
