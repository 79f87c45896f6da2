"""All that can be set, and which values are refused."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ordersetl.settings.api_url import read_base_url
from ordersetl.settings.environment import VARIABLE_PREFIX, read_environment, read_variables
from ordersetl.settings.notify_url import NotifyUrl
from ordersetl.settings.span import Span
from ordersetl.url import Location, ObjectUrl, parse_location
from ordersetl.zones import list_zones

__all__ = ["CANCELLED_STATUSES", "Settings", "list_secrets"]

CANCELLED_STATUSES = ("canceled", "cancelled", "voided")
"""Statuses of cancelled orders, in lower case, unless others are set."""
_CLUSTER = re.compile(r"(?:tcp|tls)://\S+:\d+|local:[1-9]\d{0,2}")


class Settings(BaseModel):
    """All that can be set. Environment variables are named ``ORDERSETL_`` and the field in upper case.

    ``Settings(...)`` takes its arguments, the environment and the defaults; it reads no ``ordersetl.toml``.
    :func:`load_settings` does, as the command line does. An ``ORDERSETL_`` variable that is no setting is refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    api_url: str | None = Field(None, description="base URL of the API; without it the built-in sample answers")
    api_token: SecretStr | None = Field(None, description="token of the API; environment or file only")
    api_user: SecretStr | None = Field(None, description="user, or consumer key, of the API; likewise")
    api_password: SecretStr | None = Field(None, description="password, or consumer secret, of the API; likewise")
    client_id: SecretStr | None = Field(None, description="client id of OAuth 2; likewise")
    client_secret: SecretStr | None = Field(None, description="client secret of OAuth 2; likewise")
    refresh_token: SecretStr | None = Field(None, description="refresh token of OAuth 2; likewise")
    source: str | None = Field(None, min_length=1, description="a built-in source's name, or the path of a description")
    variables: dict[str, str] = Field({}, description="the source's own variables, as a table; see docs/sources.md")
    output: Location = Field(Path("output"), description="folder of all that is kept, or s3://bucket/prefix")
    users: Path | None = Field(None, description="CSV file of users, kept with each batch")
    products: Path | None = Field(None, description="CSV file of products, kept with each batch")
    lookback: Span = Field(timedelta(minutes=10), description="overlap with the batch before, e.g. 10m")
    page_size: int = Field(1000, ge=1, le=1_000_000, description="orders asked for a page")
    max_pages: int = Field(100_000, ge=1, le=10_000_000, description="most pages of one batch")
    timeout_s: float = Field(30.0, gt=0, le=3600, description="seconds to wait for the API to connect or to send")
    max_retries: int = Field(5, ge=0, le=100, description="tries after the first, for one page")
    max_requests_per_second: float | None = Field(
        None, gt=0, le=1000, description="most requests a second, of all workers"
    )
    retry_total_s: float = Field(300.0, ge=0, le=86400, description="most seconds to wait between tries, for one page")
    max_response_mb: int = Field(256, ge=1, le=4096, description="largest response that is accepted, in MiB")
    max_reference_mb: int = Field(256, ge=1, le=4096, description="largest users or products file, in MiB")
    resume_within: Span = Field(timedelta(hours=1), description="oldest interrupted extraction that is taken up again")
    max_reject_ratio: float = Field(0.5, ge=0, le=1, description="rejected share of distinct orders that stops a run")
    min_rejects: int = Field(10, ge=1, description="rejected orders that it takes to stop a run, whatever their share")
    timezone: str = Field("UTC", description="IANA time zone whose days the partitions are, e.g. Europe/Berlin")
    cancelled_statuses: tuple[str, ...] = Field(
        CANCELLED_STATUSES, description="statuses of cancelled orders, in any case; comma-separated"
    )
    emails: Literal["keep", "hash", "drop"] = Field("keep", description="what dim_user shows of emails")
    emails_key: SecretStr | None = Field(
        None, validate_default=True, description="key of the HMAC of emails; environment or file only"
    )
    report_html: Path | None = Field(None, description="file of the page that run and check write; it ends in .html")
    drift: Literal["fail", "warn", "ignore"] = Field(
        "fail", description="when a field that the mapping uses vanishes from the orders, or changes its type"
    )
    checks: Path = Field(Path("checks"), description="folder of checks of your own, each a SELECT in a .sql file")
    check_timeout_s: float = Field(60.0, gt=0, le=86400, description="most seconds for each of these checks")
    notify_url: NotifyUrl = Field(None, description="where failed and recovered runs are told; may be a secret")
    bulk: bool = Field(True, description="validate in bulk where the result is provably that of the models")
    chunk_mb: int = Field(12, ge=1, le=1024, description="raw JSON that one worker holds at a time, in MiB")
    cluster: str | None = Field(None, description="Dask cluster that does the work: tcp://host:8786, or local:4")
    cluster_wait_s: float = Field(300.0, ge=0, le=86400, description="seconds to go on without any worker of it")
    keep_manifests: int = Field(3, ge=1, le=10_000, description="states of an output in s3:// whose files are kept")
    workers: int | None = Field(None, ge=1, le=256, description="parallel workers; one a core if unset")
    warehouse: str | None = Field(None, description="URL of the warehouse that follows curated (docs/warehouses.md)")
    warehouse_schema: str | None = Field(None, description="schema of its tables; the database's own default if unset")
    warehouse_prefix: str | None = Field(None, description="how the names of its tables and views begin, e.g. shop_")
    warehouse_password: SecretStr | None = Field(None, description="password there; environment or file only")
    warehouse_timeout_s: float = Field(
        60.0, gt=0, le=86400, description="seconds to wait for the warehouse to connect, and for its locks"
    )

    @model_validator(mode="before")
    @classmethod
    def _add_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        environment = read_environment(cls.model_fields, list_secrets())
        set_there = {name: variable.value for name, variable in environment.items()} | given
        variables, of_file = read_variables(), given.get("variables", {})
        return {**set_there, "variables": variables | of_file} if variables and isinstance(of_file, dict) else set_there

    @field_validator("variables", mode="before")
    @classmethod
    def _text_variables(cls, value: object) -> object:
        """Text by name, in lower case; a list is its elements, comma-separated."""
        if not isinstance(value, dict):
            # pydantic collects ValueError alone
            raise ValueError(f"must be a table; in the environment each value is {VARIABLE_PREFIX}NAME")  # noqa: TRY004
        return {str(name).lower(): _read_variable(name, given) for name, given in value.items()}

    @field_validator("api_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else read_base_url(value)

    @field_validator("api_user", "api_password", "client_id", "client_secret", "refresh_token")
    @classmethod
    def _clean_secret(cls, value: SecretStr | None) -> SecretStr | None:
        """None for an empty one; white space around it is dropped, as around a token."""
        secret = value.get_secret_value().strip() if value is not None else ""
        if not secret.isprintable():
            raise ValueError("must be printable text")
        return SecretStr(secret) if secret else None

    @field_validator("api_token")
    @classmethod
    def _sendable_token(cls, value: SecretStr | None) -> SecretStr | None:
        """None for an empty one. White space around it is dropped: secrets are often kept with a line's end."""
        token = value.get_secret_value().strip() if value is not None else ""
        if not (token.isascii() and token.isprintable()):
            raise ValueError("must be printable ASCII, as a header can carry it")
        return SecretStr(token) if token else None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in list_zones():
            from difflib import get_close_matches  # noqa: PLC0415

            near = get_close_matches(value, list_zones(), 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"must be the IANA name of a time zone, such as Europe/Berlin{meant}")
        return value

    @field_validator("cancelled_statuses", mode="before")
    @classmethod
    def _lower_statuses(cls, value: object) -> object:
        """Lower case, sorted, each once."""
        statuses = value.split(",") if isinstance(value, str) else value
        if not isinstance(statuses, list | tuple) or not all(isinstance(status, str) for status in statuses):
            raise ValueError("must be a list of statuses")
        return tuple(sorted({status.strip().lower() for status in statuses} - {""}))

    @field_validator("emails_key")
    @classmethod
    def _key_for_hashes(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """None for an empty one; white space around it is dropped, as around a token."""
        key = value.get_secret_value().strip() if value is not None else ""
        if not key and info.data.get("emails") == "hash":
            raise ValueError("must be set where emails is hash: put it in ORDERSETL_EMAILS_KEY")
        return SecretStr(key) if key else None

    @field_validator("cluster")
    @classmethod
    def _known_cluster(cls, value: str | None) -> str | None:
        if value is not None and not _CLUSTER.fullmatch(value):
            raise ValueError("must be tcp://HOST:PORT or tls://HOST:PORT of a scheduler, or local:WORKERS")
        return value

    @field_validator("output", mode="before")
    @classmethod
    def _object_url(cls, value: object) -> object:
        if isinstance(value, str):
            return parse_location(value)
        if not isinstance(value, Path | ObjectUrl):
            raise ValueError("must be a path, or s3://BUCKET/PREFIX")  # noqa: TRY004 - pydantic collects ValueError
        return value

    @field_validator("warehouse")
    @classmethod
    def _url_without_password(cls, value: str | None) -> str | None:
        url = (value or "").strip()
        if url and "://" not in url:
            raise ValueError("must be a URL, as in duckdb:///shop.duckdb or postgresql://user@host/database")
        if ":" in url.partition("://")[2].partition("/")[0].rpartition("@")[0]:
            raise ValueError("must hold no password: put it in ORDERSETL_WAREHOUSE_PASSWORD")
        return url or None

    @field_validator("warehouse_password")
    @classmethod
    def _password_without_end(cls, value: SecretStr | None) -> SecretStr | None:
        """None for an empty one; a line's end after it is dropped, and nothing else: blanks may belong to it."""
        password = value.get_secret_value().rstrip("\r\n") if value is not None else ""
        return SecretStr(password) if password else None

    @field_validator("output", "users", "products", "checks", "report_html")
    @classmethod
    def _usable_path(cls, value: Location | None) -> Location | None:
        if value is None or isinstance(value, ObjectUrl):
            return value
        if "\0" in str(value):
            raise ValueError("must hold no NUL character")
        try:
            return value.expanduser()
        except RuntimeError:
            raise ValueError("starts with ~, and there is no such home folder") from None

    @field_validator(
        "page_size",
        "max_pages",
        "timeout_s",
        "max_retries",
        "retry_total_s",
        "max_requests_per_second",
        "max_response_mb",
        "max_reference_mb",
        "max_reject_ratio",
        "min_rejects",
        "check_timeout_s",
        "chunk_mb",
        "cluster_wait_s",
        "keep_manifests",
        "workers",
        "warehouse_timeout_s",
        mode="before",
    )
    @classmethod
    def _true_is_no_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects ValueError
        return value


def list_secrets() -> tuple[str, ...]:
    """Names of the settings that are secrets: each may be in a file, which ``NAME_file`` names."""
    return tuple(name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation))


def _read_variable(name: object, given: object) -> str:
    parts = given if isinstance(given, list) else [given]
    if not all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in parts):
        raise ValueError(f"{name} must be text, a number, or a list of these")
    text = ",".join(str(part).strip() for part in parts)
    if not text.isprintable():
        raise ValueError(f"{name} must be printable text")
    return text
