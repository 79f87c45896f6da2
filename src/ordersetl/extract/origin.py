"""Where orders and reference data come from, as settings and flags say."""

import hashlib
import logging
from pathlib import Path

import httpx

from ordersetl.errors import ConfigError, CorruptedError, StorageError
from ordersetl.extract.batches import Origin, ReferenceFile
from ordersetl.extract.bounded_file import read_bounded
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import read_manifest
from ordersetl.settings import Settings
from ordersetl.source.sample import SAMPLE_URL, sample_references
from ordersetl.star.dimensions import PRODUCTS, USERS, Dimension, inspect_reference
from ordersetl.star.schema import RULES

__all__ = ["SAMPLE", "choose_origin", "choose_transport", "read_references", "require_one_kind"]

SAMPLE = "sample"
"""Kind of the built-in API."""

log = logging.getLogger(__name__)


def choose_origin(settings: Settings) -> Origin:
    """Where the orders come from; with no API set, the built-in sample, and a warning.

    Raises:
        ConfigError: the settings contradict each other.
    """
    if settings.source == "generic" and settings.api_url is None:
        raise ConfigError("the generic source needs an API", hint="Give --api-url, or set ORDERSETL_API_URL.")
    if settings.source == SAMPLE and settings.api_url is not None:
        raise ConfigError("the sample source has an API of its own", hint="Leave out --api-url or --source.")
    if settings.api_url is not None:
        return Origin("generic", settings.api_url)
    if settings.source is None:
        log.warning(
            "no API is set, so the built-in sample API answers; set yours with --api-url or ORDERSETL_API_URL "
            "(--source sample says that it is meant)."
        )
    return Origin(SAMPLE, SAMPLE_URL)


def read_references(
    settings: Settings, origin: Origin, users: Path | None, products: Path | None, lake: Lake
) -> list[ReferenceFile]:
    """The reference files, found usable; those not given are the settings', or with the sample API the built-in ones.

    Files that the curated layer is the fold of already need no second look. Cells that cannot be taken as they are
    are named in a warning.

    Raises:
        ConfigError: a file is missing, too large, or cannot be used.
    """
    users, products = users or settings.users, products or settings.products
    if origin.source == SAMPLE:
        sample_users, sample_products = sample_references()
        users, products = users or sample_users, products or sample_products
    given = [(USERS, users), (PRODUCTS, products)]
    applied = _applied_references(lake)
    return [
        _read(settings, dimension, path, applied.get(dimension.kind)) for dimension, path in given if path is not None
    ]


def _applied_references(lake: Lake) -> dict[str, str]:
    """SHA-256 by kind of the files that were applied last, under the rules of today."""
    try:
        manifest = read_manifest(lake)
    except (CorruptedError, StorageError):
        return {}  # the command says so where it matters
    return manifest.references if manifest and manifest.rules == RULES else {}


def _read(settings: Settings, dimension: Dimension, path: Path, applied: str | None) -> ReferenceFile:
    try:
        body = read_bounded(path, settings.max_reference_mb << 20, timeout_s=settings.timeout_s)
    except OSError as error:
        raise ConfigError(
            f"cannot read the {dimension.kind} file {path}: {error.strerror}",
            hint=f"Give the path of a CSV file to --{dimension.kind}, in ORDERSETL_{dimension.kind.upper()}, or in the "
            f"settings file as {dimension.kind}.",
        ) from None
    if len(body) > settings.max_reference_mb << 20:
        raise ConfigError(
            f"the {dimension.kind} file {path} has more than {settings.max_reference_mb} MiB",
            hint="Give a smaller file, or set ORDERSETL_MAX_REFERENCE_MB.",
        )
    if hashlib.sha256(body).hexdigest() != applied and (odd := inspect_reference(dimension, body, str(path))):
        log.warning("%s", odd)
    return ReferenceFile(dimension.kind, path.name, body)


def choose_transport(origin: Origin) -> httpx.BaseTransport | None:
    """The sample API in this process; None where the network leads to the origin."""
    if origin.source != SAMPLE:
        return None
    from ordersetl.source.sample import sample_app  # noqa: PLC0415 - real runs do without

    return httpx.WSGITransport(app=sample_app())


def require_one_kind(lake: Lake, origin: Origin) -> None:
    """Keep the sample's orders away from real ones.

    Raises:
        ConfigError: the output holds the sample's orders and the origin is another, or the reverse.
    """
    newest = max(list_batches(lake), default=None)
    if newest is None:
        return
    kept = raw.read_marker(lake, newest).source
    if kept == SAMPLE and origin.source != SAMPLE:
        raise ConfigError(
            f"{lake.root} holds the built-in sample's orders, and yours must not mix with them",
            hint=f"Choose another folder with --output, or delete {lake.root} first.",
        )
    if kept != SAMPLE and origin.source == SAMPLE:
        raise ConfigError(
            f"{lake.root} holds orders of a real API, and the sample's must not mix with them",
            hint="Give --api-url or set ORDERSETL_API_URL; or choose another folder with --output.",
        )
