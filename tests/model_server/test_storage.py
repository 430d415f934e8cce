"""Addresses of every scheme, against a folder, a real web server with TLS, and a real S3 server."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from mlmodel_contract.manifest import Column
from model_server.storage import (
    Location,
    StorageError,
    StorageUnreachableError,
    age,
    create,
    download,
    glob_files,
    list_files,
    list_folders,
    locate,
    move,
    open_file,
    read_bytes,
    remove,
    write_atomic,
)
from model_server.train.data.sources import read_source

from devtools.cluster import certificates
from devtools.ports import free_ports
from devtools.s3 import S3Server
from tests.model_server.support.training_runs import COLUMNS, Run, flights

pytestmark = pytest.mark.slow

SCHEMA = [Column.model_validate(column) for column in COLUMNS]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLMODEL_ROOT", str(tmp_path))
    return tmp_path


def secret(root: Path, name: str, **keys: str) -> str:
    """Mount a Secret as the operator does."""
    folder = root / "mlmodel/secrets" / name
    folder.mkdir(parents=True)
    for key, value in keys.items():
        (folder / key).write_text(value)
    return name


def refusal(uri: str, credentials: str | None = None) -> StorageError:
    with pytest.raises(StorageError) as refused:
        read_bytes(locate(uri, credentials))
    return refused.value


def exclusive(folder: Location) -> None:
    """Of many that create a file at once, one does; what follows works in every store."""
    file = folder.child("claims/a.csv")
    together = threading.Barrier(8)

    def contend(number: int) -> bool:
        together.wait(60)
        return create(file, str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            remove(file)
            made = list(pool.map(contend, range(8)))
            assert sum(made) == 1
            assert read_bytes(file) == str(made.index(True)).encode()
    assert -5 < age(file) < 60
    move(file, folder.child("done/2024-01-01/a.csv"))
    assert [day.uri.rpartition("/")[2] for day in list_folders(folder.child("done"))] == ["2024-01-01"]
    assert list_folders(folder.child("none")) == []
    assert create(file, b"again")
    for what in ("done/2024-01-01", "claims/a.csv", "claims/a.csv"):
        remove(folder.child(what))
    assert list_files(folder, "a.csv") == []


class TestClaims:
    """`pvc://`."""

    def test_one_of_many_creates_a_file(self) -> None:
        exclusive(locate("pvc://store/feedback"))

    def test_a_file_is_written_whole_and_read(self, root: Path) -> None:
        folder = locate("pvc://store/flights")
        write_atomic(folder, "deep/model.bin", b"first")
        write_atomic(folder, "deep/model.bin", b"second")
        assert read_bytes(folder.child("deep/model.bin")) == b"second"
        assert [file.name for file in (root / "mlmodel/claims/store/flights/deep").iterdir()] == ["model.bin"]

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = locate("pvc://store/flights")
        write_atomic(folder, "model.bin", b"old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("model_server.storage.os.replace", full)
        with pytest.raises(StorageError, match="No space left on device"):
            write_atomic(folder, "model.bin", b"new")
        assert [file.name for file in (root / "mlmodel/claims/store/flights").iterdir()] == ["model.bin"]
        assert read_bytes(folder.child("model.bin")) == b"old"

    def test_files_are_found_and_named_as_the_user_would(self) -> None:
        folder = locate("pvc://store/x")
        for name in ("b.csv", "a.csv", "c.txt", "deep/d.csv"):
            write_atomic(folder, name, b"")
        assert [file.uri for file in glob_files(locate("pvc://store/x/*.csv"))] == ["pvc://store/x/a.csv", "pvc://store/x/b.csv"]
        assert [file.uri for file in list_files(folder, ".csv")] == [f"pvc://store/x/{name}" for name in ("a.csv", "b.csv", "deep/d.csv")]
        assert list_files(locate("pvc://store/none"), ".csv") == []

    @pytest.mark.parametrize("uri", ["pvc://store/../other/x.csv", "pvc:///x.csv", "ftp://host/x.csv", "file:///etc/passwd"])
    def test_addresses_that_lead_elsewhere_are_refused(self, uri: str) -> None:
        assert refusal(uri).check == "UnknownScheme"

    def test_what_is_not_there_or_is_a_folder_is_named(self) -> None:
        write_atomic(locate("pvc://store/x"), "a.csv", b"")
        assert str(refusal("pvc://store/b.csv")).startswith("'pvc://store/b.csv' does not exist: ")
        assert refusal("pvc://store/x").check == "SourceUnreadable"


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder to those that send the right Authorization header."""

    authorization = "Bearer right"

    def send_head(self) -> Any:
        if self.path.startswith("/private") and self.headers.get("Authorization") != self.authorization:
            self.send_error(403)
            return None
        if self.path.startswith("/broken"):
            self.send_error(500)
            return None
        return super().send_head()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def website(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a server of `tmp_path / "www"` whose certificate this process trusts."""
    (tmp_path / "www/private").mkdir(parents=True)
    identity = certificates.Identity("server", "localhost", hosts=("DNS:localhost", "IP:127.0.0.1"))
    certificates.ensure(tmp_path / "pki", ("ca",), (identity,))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.certificate(tmp_path / "pki", "ca")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate(tmp_path / "pki", "server"), certificates.key(tmp_path / "pki", "server"))

    def handler(*arguments: Any) -> Files:
        return Files(*arguments, directory=str(tmp_path / "www"))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class TestWeb:
    """`https://`."""

    @pytest.mark.parametrize("name", ["flights.parquet", "private/flights.parquet"])
    def test_rows_are_read(self, website: str, root: Path, name: str) -> None:
        pq.write_table(flights(50), root / "www" / name)
        credentials = secret(root, "web", AUTHORIZATION="Bearer right\n") if "private" in name else None
        reading = read_source(f"{website}/{name}", credentials, SCHEMA)
        assert reading.problems == []
        assert reading.table.num_rows == 50

    def test_a_star_reads_what_the_server_lists(self, website: str, root: Path) -> None:
        for number in (1, 2):
            pq.write_table(flights(10, hours=number), root / f"www/{number}.parquet")
        assert read_source(f"{website}/*.parquet", None, SCHEMA).table.num_rows == 20

    def test_refusals_name_address_and_remedy(self, website: str, root: Path) -> None:
        (root / "www/private/a.csv").write_text("")
        wrong = secret(root, "wrong", AUTHORIZATION="Bearer wrong")
        assert str(refusal(f"{website}/none.csv")) == f"'{website}/none.csv' does not exist: correct the address or put the file there"
        for credentials in (None, wrong):
            found = refusal(f"{website}/private/a.csv", credentials)
            assert (found.check, "check the keys in the Secret" in str(found)) == ("SourceForbidden", True)
        assert "no key AUTHORIZATION" in str(refusal(website, secret(root, "empty")))

    def test_a_server_that_fails_or_does_not_answer_or_is_not_trusted_is_worth_another_try(
        self, website: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(refusal(f"{website}/broken.csv"), StorageUnreachableError)
        assert isinstance(refusal(f"https://localhost:{free_ports(1)[0]}/x.csv"), StorageUnreachableError)
        monkeypatch.delenv("SSL_CERT_FILE")
        found = refusal(f"{website}/x.csv")
        assert isinstance(found, StorageUnreachableError)
        assert "certificate" in str(found).lower()


class TestS3:
    """`s3://`."""

    @pytest.fixture
    def credentials(self, s3_server: S3Server, root: Path) -> str:
        s3_server.bucket("flights")
        return secret(root, "s3", **s3_server.environment())

    def test_a_file_is_written_and_read(self, credentials: str, tmp_path: Path) -> None:
        folder = locate("s3://flights/store/x", credentials)
        write_atomic(folder, "deep/a.bin", b"content")
        assert read_bytes(folder.child("deep/a.bin")) == b"content"
        assert [file.uri for file in list_files(folder, ".bin")] == ["s3://flights/store/x/deep/a.bin"]
        assert list_files(folder.child("none"), ".bin") == []
        with open_file(download(folder.child("deep/a.bin"), tmp_path / "copy")) as file:
            assert file.read() == b"content"

    def test_one_of_many_creates_a_file(self, credentials: str) -> None:
        exclusive(locate("s3://flights/store/feedback", credentials))

    def test_rows_are_read(self, credentials: str, s3_server: S3Server) -> None:
        for number in (1, 2):
            pq.write_table(flights(50, hours=number), s3_server.data / f"flights/{number}.parquet")
        reading = read_source("s3://flights/*.parquet", credentials, SCHEMA)
        assert reading.problems == []
        assert reading.table.num_rows == 100

    def test_a_whole_run_lies_in_the_bucket(self, credentials: str, s3_server: S3Server, tmp_path: Path) -> None:
        (s3_server.data / "flights/data").mkdir()
        pq.write_table(flights(300), s3_server.data / "flights/data/a.parquet")
        run = Run(
            tmp_path,
            data={"sources": [{"uri": "s3://flights/data/*.parquet", "credentials": credentials}, {"captured": {}}]},
            training={"trials": 1},
            extra={"store": "s3://flights/store/flights", "storeCredentials": credentials},
        )
        assert run.prepare().problems == []
        assert run.trial(0).failure is None
        result = run.package()
        assert result.artifact is not None
        assert result.artifact.uri == "s3://flights/store/flights/versions/flights-v1"
        assert run.verify(result.artifact.wire()).problems == []
        assert (s3_server.data / "flights/store/flights/versions/flights-v1/manifest.json").exists()

    def test_refusals_name_address_and_remedy(self, credentials: str, s3_server: S3Server, root: Path) -> None:
        assert refusal("s3://flights/none.csv", credentials).check == "SourceMissing"
        assert refusal("s3://no-such-bucket/none.csv", credentials).check == "SourceMissing"
        wrong = secret(root, "wrong", **s3_server.environment() | {"AWS_SECRET_ACCESS_KEY": "wrong"})
        assert refusal("s3://flights/a.csv", wrong).check == "SourceForbidden"
        halved = secret(root, "halved", AWS_ACCESS_KEY_ID="x")
        assert str(refusal("s3://flights/a.csv", halved)) == "the Secret 'halved' has no key AWS_SECRET_ACCESS_KEY: add it"
        nobody = secret(root, "nobody", **s3_server.environment() | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_ports(1)[0]}"})
        assert isinstance(refusal("s3://flights/a.csv", nobody), StorageUnreachableError)
