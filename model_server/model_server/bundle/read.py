"""Open a bundle: every check between a folder of files and a model that may serve.

The order matters: nothing is parsed before its digest was compared, and no object is made before its types were. Not here: fetching
the folder, and how golden rows are compared (``golden_row_comparison.py``).
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from mlmodel_contract import VERSION
from mlmodel_contract.base import Document
from mlmodel_contract.bundle import GOLDEN, MANIFEST, MODEL, MODEL_ONNX, PROFILE, SCHEMA, BundleManifest, BundleSchema, GoldenRows, Profile
from pydantic import ValidationError

from .engine import ONNXRUNTIME, SKLEARN, OnnxPredictor, Predictor, load_pipeline
from .errors import BundleRefused, first_line
from .golden_row_comparison import check_golden_rows
from .libraries import check_graph, check_libraries
from .trusted import check_types

_D = TypeVar("_D", bound=Document)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle whose golden rows were predicted as they must be."""

    folder: Path
    digest: str
    manifest: BundleManifest
    schema: BundleSchema
    profile: Profile
    golden: GoldenRows
    predictor: Predictor


def open_bundle(folder: Path, digest: str | None) -> Bundle:
    """Check and load the bundle in a folder.

    Args:
        folder: holds the bundle's files.
        digest: ``sha256:...`` that the manifest must have; None leaves that check out (the caller vouches for the manifest).

    Raises:
        BundleRefused: a file, type, library or prediction is not what it must be.

    """
    manifest, found = read_manifest(folder, digest)
    schema, profile = _schema_and_profile(folder)
    golden = _document(folder, GOLDEN, GoldenRows)
    predictor = _load(folder, manifest, schema)
    check_golden_rows(predictor, schema, golden)
    return Bundle(folder, found, manifest, schema, profile, golden, predictor)


def read_reference(folder: Path, digest: str) -> tuple[BundleSchema, Profile]:
    """Return the schema and profile of the bundle in a folder, without its model, after the sha256 of every file was checked.

    Raises:
        BundleRefused: a file is not what it must be.

    """
    read_manifest(folder, digest)
    return _schema_and_profile(folder)


def read_manifest(folder: Path, digest: str | None) -> tuple[BundleManifest, str]:
    """Return the manifest and its digest after it and the sha256 of every file that it names were checked.

    Raises:
        BundleRefused: the digest or a file differs, or the manifest is not one of this contract.

    """
    content = _content(folder, MANIFEST)
    manifest = parse_manifest(content, digest)
    for name, expected in manifest.files.items():
        if digest_of(_content(folder, name)) != expected:
            raise BundleRefused(
                "FileDiffers", f"the bundle's {name} is not the file that manifest.json names: restore it or package it anew"
            )
    return manifest, digest_of(content)


def parse_manifest(content: bytes, digest: str | None) -> BundleManifest:
    """Return the manifest after its digest, its contract and the names of its files were checked.

    Raises:
        BundleRefused: the digest differs, or the manifest is not one of this contract.

    """
    found = digest_of(content)
    if digest is not None and found != digest:
        raise BundleRefused("DigestDiffers", f"manifest.json has the digest {found}, not {digest}: correct the digest")
    manifest = _manifest(content)
    for name in (SCHEMA, PROFILE, GOLDEN, MODEL if manifest.engine == SKLEARN else MODEL_ONNX):
        if name not in manifest.files:
            raise BundleRefused("FileMissing", f"the bundle's manifest.json does not name {name}: package the bundle anew")
    for name in manifest.files:
        if Path(name).name != name or name in ("..", MANIFEST):
            raise BundleRefused(
                "ManifestInvalid", f"the bundle's manifest.json names '{name}', which is no plain file name: package it anew"
            )
    return manifest


def digest_of(content: bytes) -> str:
    """Return ``sha256:`` and the hexadecimal digest."""
    return f"sha256:{sha256(content).hexdigest()}"


def _load(folder: Path, manifest: BundleManifest, schema: BundleSchema) -> Predictor:
    if manifest.engine not in (ONNXRUNTIME, SKLEARN):
        raise BundleRefused("UnknownEngine", f"the bundle's engine '{manifest.engine}' is not known: use {ONNXRUNTIME} or {SKLEARN}")
    check_libraries(manifest.engine, manifest.libraries)
    try:
        if manifest.engine == ONNXRUNTIME:
            return OnnxPredictor(folder / MODEL_ONNX, schema.features)
        check_types(folder / MODEL)
        return load_pipeline(folder / MODEL, schema.features)
    except BundleRefused:
        raise
    except Exception as error:  # a model file that does not load is refused, whatever the library calls its failure
        check_graph(error)
        raise BundleRefused("ModelUnreadable", f"the bundle's model cannot be loaded: {first_line(error)}") from error


def _manifest(content: bytes) -> BundleManifest:
    """Parse the manifest; its contract version is checked first, since another one may have other fields."""
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise BundleRefused("ManifestInvalid", "the bundle's manifest.json is no JSON: package the bundle anew") from error
    version = raw.get("contract") if isinstance(raw, dict) else None
    if version != VERSION:
        raise BundleRefused("ContractVersion", f"the bundle was made for contract {version}, this image speaks {VERSION}: package it anew")
    try:
        return BundleManifest.model_validate(raw)
    except ValidationError as error:
        raise BundleRefused("ManifestInvalid", f"the bundle's manifest.json is invalid: {_first_problem(error)}") from error


def _schema_and_profile(folder: Path) -> tuple[BundleSchema, Profile]:
    return _document(folder, SCHEMA, BundleSchema), _document(folder, PROFILE, Profile)


def _document(folder: Path, name: str, kind: type[_D]) -> _D:
    try:
        return kind.model_validate_json(_content(folder, name))
    except ValidationError as error:
        raise BundleRefused("FileInvalid", f"the bundle's {name} is invalid: {_first_problem(error)}") from error


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BundleRefused("FileMissing", f"the bundle has no readable {name}: restore it or package the bundle anew") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'document'}: {first['msg']}"
