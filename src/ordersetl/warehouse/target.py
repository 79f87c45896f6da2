"""Which warehouse, and where in it: the URL of ``--warehouse`` taken apart, and what it may say."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec
from pydantic import SecretStr

from ordersetl.errors import ConfigError
from ordersetl.settings import Settings
from ordersetl.text import printable
from ordersetl.url import parse_url
from ordersetl.warehouse.names import MAX_IDENTIFIER_BYTES, MAX_PREFIX, Names

__all__ = ["Kind", "Target", "find_target"]

Kind = Literal["duckdb", "postgresql", "redshift"]

_KINDS: dict[str, Kind] = {
    "duckdb": "duckdb",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "redshift": "redshift",
}
_DEFAULT_SCHEMA: dict[Kind, str] = {"duckdb": "main", "postgresql": "public", "redshift": "public"}
_PARAMETERS: dict[Kind, frozenset[str]] = {
    "duckdb": frozenset(),
    "postgresql": frozenset({"partition"}),
    "redshift": frozenset({"iam_role", "staging", "region", "sslmode"}),
}
"""Parameters of each kind beside ``schema`` and ``prefix``; PostgreSQL's driver judges any other of its own."""
_SECRET = re.compile("password|secret|token|access_key")
_RESERVED = frozenset({"main", "temp", "system"})
"""Names that DuckDB gives no file's database: it adds ``_db``."""
_OWN_SCHEMAS = frozenset({"temp", "system", "pg_catalog", "information_schema"})
_STAGING = re.compile(r"[A-Za-z0-9!_.*()=+/-]*")
"""Prefixes of objects that a literal of SQL and a COPY manifest take as they are."""
_ROLES = re.compile(
    r"default|arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=.@/-]+(?:,arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=.@/-]+)*"
)
_REGION = re.compile("[a-z]{2,3}(?:-[a-z]+)+-[0-9]{1,2}")
_SSL_MODES = frozenset({"verify-full", "verify-ca", "disable"})
_PREFIX = re.compile(rf"(?:[a-z_][a-z0-9_]{{0,{MAX_PREFIX - 1}}})?")


class Target(msgspec.Struct, frozen=True):
    """A warehouse and the place of our tables in it. ``url`` is for messages: it never holds a secret.

    ``options`` are the parameters of the URL beside schema and prefix; ``timeout_s`` bounds, in seconds, how long a
    connection, and a lock that another session holds, are waited for.
    """

    kind: Kind
    url: str
    names: Names
    host: str = ""
    port: int | None = None
    user: str = ""
    database: str = ""
    options: Mapping[str, str] = msgspec.field(default_factory=dict)
    password: SecretStr | None = None
    timeout_s: float = 60.0

    @property
    def without_password(self) -> str:
        """That no password is set, for messages: not every driver passes on what the server says of it."""
        return "" if self.password else " without a password"

    @property
    def by_month(self) -> bool:
        """Whether PostgreSQL is to have the facts in partitions of months."""
        return self.options.get("partition") == "month"


def find_target(settings: Settings) -> Target | None:
    """The warehouse that is set; None where none is.

    Raises:
        ConfigError: its URL says what cannot be.
    """
    if settings.warehouse is None:
        return None
    try:
        url = urlsplit(settings.warehouse)
        port = url.port
    except ValueError as error:
        raise _wrong(str(error)) from None
    kind = _KINDS.get(url.scheme)
    if kind is None:
        raise _wrong(f"{url.scheme or 'nothing'} is not a warehouse")
    parameters = dict(parse_qsl(url.query, keep_blank_values=True))
    schema = parameters.pop("schema", "") or settings.warehouse_schema or _DEFAULT_SCHEMA[kind]
    prefix = parameters.pop("prefix", "") or settings.warehouse_prefix or ""
    _check_parameters(kind, url, parameters)
    if kind == "duckdb":
        _check_file(PurePosixPath(unquote(url.path.removeprefix("/"))).name, schema)
    return Target(
        kind=kind,
        url=settings.warehouse,
        names=Names(_check_schema(schema, kind), _check_prefix(prefix)),
        host=unquote(url.hostname or ""),
        port=port,
        user=unquote(url.username or ""),
        database=unquote(url.path.removeprefix("/")),
        options=parameters,
        password=settings.warehouse_password,
        timeout_s=settings.warehouse_timeout_s,
    )


def _check_parameters(kind: Kind, url: SplitResult, parameters: Mapping[str, str]) -> None:
    if url.fragment:
        raise _wrong("it has a # in it: write %23")
    if url.password is not None or any(_SECRET.search(name) for name in parameters):
        raise ConfigError(
            "the URL of the warehouse must hold no password or key",
            hint="Put the password in ORDERSETL_WAREHOUSE_PASSWORD, or in the file that ..._FILE names.",
        )
    if kind == "duckdb" and (url.netloc or not url.path.strip("/")):
        raise _wrong("it names no file: write three slashes, and a fourth before an absolute path")
    unknown = sorted(set(parameters) - _PARAMETERS[kind]) if kind != "postgresql" else []
    if unknown:
        known = ", ".join(sorted({"schema", "prefix", *_PARAMETERS[kind]}))
        raise _wrong(f"there is no parameter {unknown[0]} for {kind}; there are {known}")
    if kind == "postgresql" and parameters.get("partition", "month") != "month":
        raise _wrong("partition can be month, or left out")
    if kind == "redshift":
        _check_redshift(parameters)


def _check_file(name: str, schema: str) -> None:
    """DuckDB names the database of a file by what is before the first dot, and takes some names for none of a file."""
    if name.startswith(":memory:"):
        raise _wrong("what is in memory is gone with the command")
    if schema.lower() in _OWN_SCHEMAS:
        raise _wrong(f"{schema} is a schema of DuckDB's own")
    database = next(filter(None, name.split(".")), "")
    if database.lower() in _RESERVED:
        database += "_db"
    if database.lower() == schema.lower():
        raise ConfigError(
            f"the schema {printable(schema)} has the name of its file {printable(name)}: DuckDB cannot tell them apart",
            hint="Choose another schema (?schema=...), or rename the file.",
        )


def _check_redshift(parameters: Mapping[str, str]) -> None:
    """What COPY takes as literals only may hold nothing that could end one."""
    try:
        staging = parse_url(parameters.get("staging", ""))
    except ValueError as error:
        raise _wrong(f"staging, where files can be put for COPY, {error}") from None
    if not _STAGING.fullmatch(staging.prefix):
        raise _wrong("the prefix of staging may have letters, digits and !_.*()=+- in it")
    if not _ROLES.fullmatch(parameters.get("iam_role", "default")):
        raise _wrong("iam_role must be default, the ARN of a role, or several ARNs with commas between them")
    if not _REGION.fullmatch(parameters.get("region", "eu-west-1")):
        raise _wrong("region must be one of AWS, such as eu-west-1")
    if parameters.get("sslmode", "verify-full") not in _SSL_MODES:
        raise _wrong(f"sslmode can be {', '.join(sorted(_SSL_MODES))}")


def _check_schema(schema: str, kind: Kind) -> str:
    if "\0" in schema or "%" in schema:
        raise _wrong("a schema has no % in its name")
    if len(schema.encode()) > MAX_IDENTIFIER_BYTES:
        raise _wrong(f"a schema has at most {MAX_IDENTIFIER_BYTES} bytes")
    return schema.lower() if kind == "redshift" else schema  # which folds what is quoted, too


def _check_prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise _wrong(f"a prefix is at most {MAX_PREFIX} small letters, digits and _, and begins with no digit")
    return prefix


def _wrong(problem: str) -> ConfigError:
    return ConfigError(
        f"the URL of the warehouse cannot be used: {problem}",
        hint="Write it as in duckdb:///shop.duckdb, postgresql://user@host/database?schema=shop, or "
        "redshift://user@host/database?iam_role=arn:...&staging=s3://bucket/prefix (docs/warehouses.md).",
    )
