"""Where orders and reference data come from, as settings and flags say."""

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec

from ordersetl.errors import ConfigError, CorruptedError, StorageError
from ordersetl.extract.bounded_file import read_bounded
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches, list_partition_files
from ordersetl.lake.manifest import read_manifest
from ordersetl.settings import Settings
from ordersetl.source.description.consistency import CREDENTIALS
from ordersetl.source.description.credentials import require_credentials, require_fit_token
from ordersetl.source.description.kept import hash_mapping
from ordersetl.source.description.loading import (
    MAX_DESCRIPTION_BYTES,
    LoadedDescription,
    load_builtin,
    load_description,
)
from ordersetl.source.description.model import Description
from ordersetl.source.description.variables import resolve_variables
from ordersetl.star.dimensions import PRODUCTS, USERS, Dimension, inspect_reference
from ordersetl.star.rules import RULES

__all__ = [
    "SAMPLE",
    "Origin",
    "ReferenceFile",
    "choose_origin",
    "choose_transport",
    "find_url",
    "list_given_secrets",
    "load_source",
    "read_references",
    "require_one_source",
]

SAMPLE = "sample"
"""Name of the built-in API."""
_GENERIC = "generic"

log = logging.getLogger(__name__)


class Origin(msgspec.Struct, frozen=True):
    """Where the orders come from: a source by name, its base URL, its description and the values of its variables.

    ``page_size`` is how many orders are asked for a page, None where the settings alone say.
    """

    source: str
    url: str
    description: LoadedDescription
    variables: Mapping[str, str] = msgspec.field(default_factory=dict)
    page_size: int | None = None

    @property
    def selection(self) -> dict[str, str]:
        """Values of the variables that say which orders come; of a list, each value once and sorted."""
        known = self.description.description.variables
        return {
            name: ",".join(sorted({part.strip() for part in value.split(",")})) if known[name].per_request else value
            for name, value in self.variables.items()
            if known[name].selects or known[name].per_request
        }


class ReferenceFile(msgspec.Struct, frozen=True):
    """Content of a users or products file that is kept with the batch; ``kind`` is ``users`` or ``products``."""

    kind: str
    name: str
    body: bytes


def choose_origin(settings: Settings) -> Origin:
    """Where the orders come from; with no API set, the built-in sample, and a warning.

    Raises:
        ConfigError: the settings contradict each other, there is no such source, its description cannot be, or what it
            needs (a URL, variables, credentials) is not set.
    """
    name = settings.source
    if name is None and settings.api_url is None:
        log.warning(
            "no API is set, so the built-in sample API answers; set yours with --api-url or ORDERSETL_API_URL "
            "(--source sample says that it is meant)."
        )
        name = SAMPLE
    if name == SAMPLE:
        if settings.api_url is not None:
            raise ConfigError("the sample source has an API of its own", hint="Leave out --api-url or --source.")
        from ordersetl.source.sample import SAMPLE_URL  # noqa: PLC0415 - real runs do without

        loaded, url = load_builtin(_GENERIC), SAMPLE_URL
    else:
        loaded = load_source(name or _GENERIC, settings)
        name, url = loaded.description.name, find_url(settings, loaded.description)
        require_credentials(loaded.description, list_given_secrets(settings))
        if settings.api_token is not None:
            require_fit_token(loaded.description.auth, settings.api_token.get_secret_value())
    variables = resolve_variables(loaded.description, settings.variables, url)
    return Origin(name, url, loaded, variables, _choose_page_size(settings, loaded.description))


def load_source(name: str, settings: Settings) -> LoadedDescription:
    """A built-in source by its name, or a description by the path of its file: one that has a ``/`` or ends in .toml.

    Raises:
        ConfigError: there is none, or it cannot be.
    """
    if not (name.endswith(".toml") or os.sep in name or "/" in name):
        return load_builtin(name)
    path = Path(name).expanduser()
    try:
        body = read_bounded(path, MAX_DESCRIPTION_BYTES, timeout_s=settings.timeout_s)
    except OSError as error:
        raise ConfigError(
            f"cannot read the description of a source {path}: {error.strerror}",
            hint="Give --source the name of a built-in source, or the path of a TOML file.",
        ) from None
    if len(body) > MAX_DESCRIPTION_BYTES:
        raise ConfigError(
            f"{path} has more than 1 MiB: it is not the description of a source", hint="Look at --source."
        )
    loaded = load_description(body, str(path))
    if loaded.description.name == SAMPLE:
        raise ConfigError(f"{path}: name: sample is the built-in sample's", hint="Give the source another name.")
    return loaded


def list_given_secrets(settings: Settings) -> list[str]:
    """Names of the credentials that are set."""
    return [name for name in CREDENTIALS if getattr(settings, name) is not None]


def find_url(settings: Settings, description: Description) -> str:
    """The base of a source.

    Raises:
        ConfigError: none is set, and the source has none of its own.
    """
    url = settings.api_url or description.api_url
    if url is None:
        example = f", such as {description.api_url_example}" if description.api_url_example else ""
        raise ConfigError(
            f"the {description.name} source needs an API", hint=f"Give --api-url{example}, or set ORDERSETL_API_URL."
        )
    return url


def _choose_page_size(settings: Settings, description: Description) -> int:
    """Orders to ask for a page: as set, else as the description says."""
    request = description.request
    if "page_size" not in settings.model_fields_set:
        return request.page_size or request.max_page_size
    if settings.page_size > request.max_page_size:
        raise ConfigError(
            f"page_size is {settings.page_size:,}, and the source {description.name} answers with at most "
            f"{request.max_page_size:,} orders a page",
            hint=f"Set page_size to {request.max_page_size} or less, or leave it out.",
        )
    return settings.page_size


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
        from ordersetl.source.sample import sample_references  # noqa: PLC0415 - likewise

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
    from ordersetl.source.sample import sample_app  # noqa: PLC0415 - likewise

    return httpx.WSGITransport(app=sample_app())


def require_one_source(lake: Lake, origin: Origin, *, is_meant: bool = True) -> None:
    """Keep the orders of different sources apart: an id may be in both.

    Args:
        lake: holds orders, or none.
        origin: where more would come from.
        is_meant: somebody named it; else it is the sample, as nobody named any.

    Raises:
        ConfigError: the output holds orders of another source than the origin, or perhaps so.
    """
    newest = max(list_batches(lake), default=None)
    if newest is None:
        if not is_meant and list_partition_files(lake):
            raise ConfigError(
                f"{lake.root} holds orders, of which raw no longer says whose they are, and no API is set",
                hint="Give --api-url or set ORDERSETL_API_URL; or --source sample, if they are the sample's.",
            )
        return
    marker = raw.read_marker(lake, newest)
    if marker.source != origin.source and SAMPLE in {marker.source, origin.source}:
        if marker.source == SAMPLE:
            raise ConfigError(
                f"{lake.root} holds the built-in sample's orders, and yours must not mix with them",
                hint=f"Choose another folder with --output, or delete {lake.root} first.",
            )
        raise ConfigError(
            f"{lake.root} holds orders of a real API, and the sample's must not mix with them",
            hint=f"Give {_name_source(marker.source)}--api-url, as for the runs before; or choose another folder with "
            "--output.",
        )
    if marker.source != origin.source:
        raise ConfigError(
            f"{lake.root} holds orders of the source {marker.source}, and {origin.source}'s must not mix with them",
            hint=f"Choose another folder with --output, or go on with --source {marker.source} (or the path of its "
            "file, if you wrote it).",
        )
    mapping = hash_mapping(origin.description.description)
    if bool(marker.request.mapping) != bool(mapping):
        has, has_not = ("no mapping", "one") if mapping else ("a mapping", "none")
        raise ConfigError(
            f"the source {origin.source} had {has} when {lake.root} was fetched, and its description has {has_not} now",
            hint="Choose another folder with --output, and fetch all again.",
        )


def _name_source(source: str) -> str:
    return "" if source == "generic" else f"--source {source} (or the path of its file, if you wrote it) and "
