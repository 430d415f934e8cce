"""Data and bundles in the store: ``s3://``, ``https://`` and ``pvc://`` addresses as file systems, and their failures as one sentence each.

Not here: what the files hold.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem
from mlmodel_contract.environment import PATH_SECRETS, PATH_STORE

from .runtime.paths import resolve_path

_CONNECT_SECONDS = 10
_READ_SECONDS = 60


class StorageError(Exception):
    """A file or folder that cannot be read or written; the message is one sentence that names the address and the remedy.

    ``check`` is one word for it, as in the contract's ``Problem``.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


class StorageUnreachableError(StorageError):
    """The store does not answer: that says nothing about the file, and may be tried again later."""


@dataclass(frozen=True)
class Location:
    """A file or folder: its file system, its path there, and the address as the user wrote it."""

    fs: AbstractFileSystem
    path: str
    uri: str

    def child(self, name: str) -> "Location":
        """Return the location of ``name`` below this folder."""
        return Location(self.fs, f"{self.path.rstrip('/')}/{name}", f"{self.uri.rstrip('/')}/{name}")


def locate(uri: str, credentials: str | None = None) -> Location:
    """Find the file system of an address.

    Args:
        uri: ``s3://bucket/path``, ``https://host/path`` or ``pvc://claim/path``.
        credentials: name of the mounted Secret with the keys that the address needs.

    Raises:
        StorageError: the scheme is unknown, the path leaves its claim, or the Secret lacks a key.

    """
    scheme = urlsplit(uri).scheme
    if scheme == "pvc":
        return _claim(uri)
    secret = _Secret(credentials)
    if scheme == "s3":
        return Location(_s3(secret), uri.removeprefix("s3://"), uri)
    if scheme == "https":
        return Location(_https(secret), uri, uri)
    raise StorageError("UnknownScheme", f"'{uri}' is no address that can be read: use s3://, https:// or pvc://")


def read_bytes(location: Location) -> bytes:
    """Read a whole file.

    Raises:
        StorageError: the file is missing, forbidden or out of reach.

    """
    with storage_errors(location):
        return cast(bytes, location.fs.cat_file(location.path))


def download(location: Location, path: Path) -> Location:
    """Copy a file to a local path, and return it there; messages go on naming the address.

    Raises:
        StorageError: the file is missing, forbidden or out of reach.

    """
    with storage_errors(location):
        location.fs.get_file(location.path, str(path))
    return Location(fsspec.filesystem("file"), str(path), location.uri)


@contextmanager
def open_file(location: Location) -> Iterator[IO[bytes]]:
    """Open a file for reading in pieces.

    Raises:
        StorageError: the file is missing, forbidden or out of reach.

    """
    with storage_errors(location), location.fs.open(location.path, "rb") as file:
        yield cast(IO[bytes], file)


def glob_files(location: Location) -> list[Location]:
    """Return the files that an address with ``*`` names, sorted; an address without is returned as it is.

    Raises:
        StorageError: the folder is forbidden or out of reach.

    """
    if "*" not in location.path:
        return [location]
    folder, _, pattern = location.path.rpartition("/")
    with storage_errors(location):
        # fsspec's own glob returns no match where the store does not answer
        found = location.fs.glob(location.path) if "*" in folder else _list_matching(location.fs, folder, pattern)
        return [_sibling(location, str(path)) for path in sorted(found)]


def list_files(location: Location, suffix: str) -> list[Location]:
    """Return the files at any depth below a folder whose names end in ``suffix``, sorted; none where the folder does not exist.

    Raises:
        StorageError: the folder is forbidden or out of reach.

    """
    with storage_errors(location):
        return [_sibling(location, str(path)) for path in sorted(location.fs.find(location.path)) if str(path).endswith(suffix)]


def write_atomic(location: Location, name: str, content: bytes) -> None:
    """Write a file below a folder so that it appears whole or not at all.

    Raises:
        StorageError: the folder cannot be written or is out of reach.

    """
    target = location.child(name)
    with storage_errors(target):
        if isinstance(target.fs, _local_type()):
            _replace(Path(target.path), content)
        else:
            target.fs.pipe_file(target.path, content)


def create(location: Location, content: bytes) -> bool:
    """Write a small file unless it is there; return whether this call created it, which is true for one of several concurrent calls.

    Raises:
        StorageError: the folder cannot be written or is out of reach.

    """
    with storage_errors(location):
        try:
            if isinstance(location.fs, _local_type()):
                # fsspec checks first and writes then, so that two could succeed
                location.fs.makedirs(location.path.rpartition("/")[0], exist_ok=True)
                with location.fs.open(location.path, "xb") as file:
                    file.write(content)
            else:
                location.fs.pipe_file(location.path, content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if "PreconditionFailed" in str(error) or "At least one of the pre-conditions" in str(error):
                return False
            raise
        return True


def age(location: Location) -> float:
    """Return the seconds since the file was last written, by the clocks of the store and of this machine.

    Raises:
        StorageError: the file is missing, forbidden or out of reach.

    """
    with storage_errors(location):
        written: datetime = location.fs.modified(location.path)
        return (datetime.now(UTC) - written).total_seconds()


def move(location: Location, target: Location) -> None:
    """Give a file another name in the same store.

    Raises:
        StorageError: the file is missing, forbidden or out of reach.

    """
    with storage_errors(location):
        if isinstance(location.fs, _local_type()):
            location.fs.makedirs(target.path.rpartition("/")[0], exist_ok=True)
        location.fs.mv(location.path, target.path)


def remove(location: Location) -> None:
    """Delete a file, or a folder with all below it; what is not there any more is no error.

    Raises:
        StorageError: it may not be deleted, or is out of reach.

    """
    with storage_errors(location), suppress(FileNotFoundError):
        location.fs.rm(location.path, recursive=True)


def list_folders(location: Location) -> list[Location]:
    """Return the folders right below a folder, sorted; none where it does not exist.

    Raises:
        StorageError: the folder is forbidden or out of reach.

    """
    with storage_errors(location):
        try:
            entries = location.fs.ls(location.path, detail=True)
        except FileNotFoundError:
            return []
        return [_sibling(location, str(entry["name"]).rstrip("/")) for entry in entries if entry["type"] == "directory"]


@contextmanager
def storage_errors(location: Location) -> Iterator[None]:
    """Turn the failures of any file system into ``StorageError``."""
    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError as error:
        raise StorageError("SourceMissing", f"'{location.uri}' does not exist: correct the address or put the file there") from error
    except PermissionError as error:
        raise _forbidden(location) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise StorageError("SourceUnreadable", f"'{location.uri}' is no file: name a file, or files with *") from error
    except (OSError, TimeoutError) as error:
        raise _unreachable(location, error) from error
    except Exception as error:  # botocore's and aiohttp's own error trees, which are recognized without importing them
        raise _from_library_error(location, error) from error


class _Secret:
    """The keys of a mounted Secret, none where no Secret is named."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self._folder = resolve_path(PATH_SECRETS) / name if name else None

    def get(self, key: str) -> str | None:
        if self._folder is None:
            return None
        try:
            return (self._folder / key).read_text().strip()
        except FileNotFoundError:
            return None

    def require(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            raise StorageError("CredentialsMissing", f"the Secret '{self.name}' has no key {key}: add it")
        return value


def _claim(uri: str) -> Location:
    parts = urlsplit(uri)
    path = PurePosixPath(parts.path.lstrip("/"))
    if not parts.netloc or ".." in path.parts:
        raise StorageError("UnknownScheme", f"'{uri}' must be pvc://claim/path, without '..'")
    return Location(fsspec.filesystem("file"), str(resolve_path(PATH_STORE) / parts.netloc / path), uri)


def _s3(secret: _Secret) -> AbstractFileSystem:
    """Without a Secret the pod's own identity is used, as botocore finds it."""
    endpoint = secret.get("AWS_ENDPOINT_URL")
    config: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "retries": {"max_attempts": 3, "mode": "standard"},
    }
    keys: dict[str, Any] = {}
    if endpoint:
        keys["endpoint_url"] = endpoint
        config["s3"] = {"addressing_style": "path"}
    if secret.name:
        keys |= {
            "key": secret.require("AWS_ACCESS_KEY_ID"),
            "secret": secret.require("AWS_SECRET_ACCESS_KEY"),
            "token": secret.get("AWS_SESSION_TOKEN"),
        }
    client = {"region_name": secret.get("AWS_REGION") or os.environ.get("AWS_REGION") or "us-east-1"}
    return fsspec.filesystem("s3", config_kwargs=config, client_kwargs=client, use_listings_cache=False, skip_instance_cache=True, **keys)


def _https(secret: _Secret) -> AbstractFileSystem:
    client: dict[str, Any] = {"trust_env": True}
    if secret.name:
        client["headers"] = {"Authorization": secret.require("AUTHORIZATION")}
    return fsspec.filesystem("https", client_kwargs=client, get_client=_session, use_listings_cache=False, skip_instance_cache=True)


async def _session(**options: Any) -> Any:
    """Return aiohttp's session with the certificates that are trusted now; its own default reads them when it is imported."""
    import aiohttp

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl.create_default_context()), **options)


def _list_matching(fs: AbstractFileSystem, folder: str, pattern: str) -> list[str]:
    """Return the files right below a folder whose names match; hidden ones are still being written by others."""
    files = [entry["name"] for entry in fs.ls(f"{folder}/", detail=True) if entry["type"] == "file"]
    names = [(path, path.rpartition("/")[2]) for path in files]
    return [path for path, name in names if fnmatchcase(name, pattern) and not name.startswith(".")]


def _local_type() -> type[AbstractFileSystem]:
    return cast(type[AbstractFileSystem], fsspec.get_filesystem_class("file"))


def _sibling(location: Location, path: str) -> Location:
    """Return a file that the file system listed, with its address in the user's own scheme."""
    scheme, _, rest = location.uri.partition("://")
    if scheme == "https":
        return Location(location.fs, path, path)
    claim = f"{resolve_path(PATH_STORE)}/" if scheme == "pvc" else ""
    return Location(location.fs, path, f"{scheme}://{path.removeprefix(claim)}" if rest else path)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(file.name)
            raise


def _forbidden(location: Location) -> StorageError:
    return StorageError("SourceForbidden", f"'{location.uri}' may not be accessed: check the keys in the Secret that credentials names")


def _unreachable(location: Location, error: BaseException) -> StorageError:
    detail = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
    return StorageUnreachableError("SourceUnreachable", f"'{location.uri}' cannot be reached ({detail}): check the address and the network")


def _from_library_error(location: Location, error: Exception) -> StorageError:
    """Translate an HTTP status; everything else is a network that does not answer."""
    status = getattr(error, "status", None)
    if status in (401, 403) or type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ClientError"):
        return _forbidden(location)
    if status in (404, 410):
        return StorageError("SourceMissing", f"'{location.uri}' does not exist: correct the address or put the file there")
    if type(error).__module__.split(".")[0] in ("aiohttp", "botocore", "aiobotocore", "fsspec"):
        return _unreachable(location, error)
    raise error
