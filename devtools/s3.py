"""A real S3 server (versitygw) over a folder of this machine, for tests of whatever reads and writes `s3://`."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devtools import processes, programs
from devtools.ports import free_ports
from devtools.processes import Component
from devtools.waiting import wait_until

REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A server that was started. Each folder directly below `data` is a bucket.

    `endpoint` is a URL such as http://127.0.0.1:1234; `access_key` and `secret_key` are the only ones it takes.
    """

    folder: Path
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = REGION

    @property
    def data(self) -> Path:
        """The folder of the buckets."""
        return self.folder / "data"

    def bucket(self, name: str) -> str:
        """Make a bucket where it does not exist and return its URL, `s3://name`."""
        (self.data / name).mkdir(parents=True, exist_ok=True)
        return f"s3://{name}"

    def environment(self) -> dict[str, str]:
        """What clients of S3 read from their environment, also as the content of a Secret."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
        }

    def stop(self) -> None:
        """End the server; its folder stays."""
        for running in processes.find(self.folder):
            processes.stop(self.folder, running)


def start(folder: Path, address: str = "127.0.0.1") -> S3Server:
    """Start a server that ends with this process. Pods reach it when `address` is the node's (settings.NODE_ADDRESS)."""
    port = free_ports(1, address)[0]
    server = S3Server(folder, f"http://{address}:{port}", "test" + secrets.token_hex(4), secrets.token_hex(16))
    server.data.mkdir(parents=True, exist_ok=True)
    component = Component(
        "versitygw",
        (programs.executable("versitygw"), "--port", f"{address}:{port}", "--region", REGION, "posix", server.data),
        environment={"ROOT_ACCESS_KEY": server.access_key, "ROOT_SECRET_KEY": server.secret_key},
        dies_with_parent=True,
    )
    processes.start(folder, folder, component)

    def answers() -> bool:
        processes.require(folder, folder, [component])
        try:
            httpx.get(server.endpoint, timeout=2, trust_env=False)
        except httpx.HTTPError:
            return False
        return True

    wait_until(answers, f"the S3 server answers at {server.endpoint}", 30)
    return server
