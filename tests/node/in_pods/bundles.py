"""Copies a good bundle, the folder that is the first argument, to the bucket `team`: as it is, and spoilt in several ways.

Prints the digest of each bundle's manifest as JSON, by the name of its folder. A spoilt bundle names its files rightly: it was made so.
"""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import s3fs

BUCKET = "team"
MANIFEST, MODEL, GOLDEN = "manifest.json", "model.skops", "golden.json"
Files = dict[str, bytes]


def as_it_is(_: Files) -> None:
    """A good bundle."""


def with_forbidden_type(files: Files) -> None:
    """The pipeline becomes a function of the module os."""
    with zipfile.ZipFile(io.BytesIO(files[MODEL])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    tree = json.loads(parts["schema.json"])
    tree |= {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    parts["schema.json"] = json.dumps(tree).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    files[MODEL] = packed.getvalue()


def with_other_golden_rows(files: Files) -> None:
    """The bundle promises other predictions than its model makes."""
    golden = json.loads(files[GOLDEN])
    golden["predictions"] = [[1 - value for value in row] for row in golden["predictions"]]
    files[GOLDEN] = json.dumps(golden).encode()


SPOILT: dict[str, Callable[[Files], None]] = {
    "good": as_it_is,
    "forbidden": with_forbidden_type,
    "golden": with_other_golden_rows,
}


def digest(content: bytes) -> str:
    """As the contract writes it."""
    return f"sha256:{sha256(content).hexdigest()}"


def main() -> None:
    """Write the bundles and print their digests."""
    source = Path(sys.argv[1])
    bucket = s3fs.S3FileSystem()
    digests = {}
    for name, spoil in SPOILT.items():
        files = {path.name: path.read_bytes() for path in source.iterdir() if path.is_file()}
        manifest: dict[str, Any] = json.loads(files[MANIFEST])
        spoil(files)
        manifest["files"] = {file: digest(files[file]) for file in manifest["files"]}
        if name != "good":
            files[MANIFEST] = json.dumps(manifest).encode()
        for file, content in files.items():
            bucket.pipe_file(f"{BUCKET}/bundles/{name}/{file}", content)
        digests[name] = digest(files[MANIFEST])
    print(json.dumps(digests))  # noqa: T201 (its output)


if __name__ == "__main__":
    main()
