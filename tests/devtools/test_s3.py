"""The S3 server is a real one: it keeps what it is given and refuses a wrong key."""

import fsspec
import pytest

from devtools.s3 import S3Server

pytestmark = pytest.mark.slow


def _open(server: S3Server, secret: str) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("s3", key=server.access_key, secret=secret, endpoint_url=server.endpoint, skip_instance_cache=True)


def test_what_is_written_can_be_read(s3_server: S3Server) -> None:
    s3_server.bucket("flights")
    files = _open(s3_server, s3_server.secret_key)
    files.pipe("flights/2013/01.csv", b"a,b\n1,2\n")
    assert files.cat("flights/2013/01.csv") == b"a,b\n1,2\n"
    assert files.glob("flights/*/*.csv") == ["flights/2013/01.csv"]


def test_a_wrong_key_is_refused(s3_server: S3Server) -> None:
    s3_server.bucket("secret")
    with pytest.raises(PermissionError):
        _open(s3_server, "wrong").ls("secret")
