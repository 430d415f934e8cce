"""The airline's bucket, reached from this machine through a port-forward: rows go up; a bundle and the predictions come down.

Not here: which rows, and what is done with what comes down.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import s3fs
import tenacity

from demo.errors import DemoError
from demo.manifests import Keys
from demo.scenario import BUCKET, NAMESPACE, STORAGE
from devtools.cluster.kubectl import Kubectl

_PORT = 7070


@dataclass(frozen=True)
class Bucket:
    """The bucket while the port-forward is open."""

    files: s3fs.S3FileSystem

    def put(self, rows: pd.DataFrame, name: str) -> None:
        """Write rows as the Parquet file of that name, such as ``history/2013-01.parquet``."""
        with self.files.open(f"{BUCKET}/{name}", "wb") as file:
            rows.to_parquet(file, index=False)

    def get(self, name: str) -> pd.DataFrame:
        """Read the Parquet file of that name.

        Raises:
            DemoError: there is none, or it cannot be read.

        """
        try:
            with self.files.open(f"{BUCKET}/{name}", "rb") as file:
                return pd.read_parquet(file)
        except OSError as error:
            raise DemoError(f"the bucket {BUCKET} does not give {name}: {error}; see the log of what was to write it") from error

    def get_folder(self, uri: str, target: Path) -> None:
        """Copy the files of a folder into the target folder."""
        target.mkdir(parents=True, exist_ok=True)
        for file in self.files.find(uri.removeprefix("s3://")):
            self.files.get_file(file, str(target / file.rsplit("/", 1)[-1]))


@contextmanager
def open_bucket(kubectl: Kubectl, keys: Keys) -> Iterator[Bucket]:
    """Open the bucket, made where it is not there yet.

    Raises:
        DemoError: the S3 server cannot be reached.

    """
    with _forwarded(kubectl) as port:
        files = s3fs.S3FileSystem(
            key=keys.access,
            secret=keys.secret,
            endpoint_url=f"http://127.0.0.1:{port}",
            skip_instance_cache=True,
        )
        try:
            _make_bucket(files)
        except OSError as error:
            raise DemoError(f"the S3 server in {NAMESPACE} does not take the bucket {BUCKET}: {error}") from error
        yield Bucket(files)


@tenacity.retry(
    stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.5), retry=tenacity.retry_if_exception_type(OSError), reraise=True
)
def _make_bucket(files: s3fs.S3FileSystem) -> None:
    if not files.exists(BUCKET):
        files.mkdir(BUCKET)


@contextmanager
def _forwarded(kubectl: Kubectl) -> Iterator[int]:
    """Forward a free local port to the S3 server while the block runs."""
    words = [str(kubectl.program), f"--kubeconfig={kubectl.kubeconfig}", f"--namespace={NAMESPACE}"]
    with subprocess.Popen(
        [*words, "port-forward", f"service/{STORAGE}", f":{_PORT}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found is None:
                process.terminate()
                said = process.stderr.read().strip() if process.stderr else ""
                raise DemoError(f"kubectl cannot forward a port to the S3 server in {NAMESPACE}: {said or line}")
            yield int(found[1])
        finally:
            process.terminate()
