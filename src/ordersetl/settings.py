"""Settings: a flag goes before the environment, the environment before ``ordersetl.toml``, that before the default."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from ordersetl.errors import ConfigError

__all__ = ["CONFIG_FILE", "Settings", "load_settings"]

CONFIG_FILE = "ordersetl.toml"
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)")
_SPAN_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _read_span(value: object) -> object:
    """A time span says its unit: ``90s``, ``10m``, ``2h``, ``1d``, or ISO 8601 (``PT10M``)."""
    if isinstance(value, str) and (match := _SPAN.fullmatch(value.strip())):
        return timedelta(seconds=float(match[1]) * _SPAN_SECONDS[match[2]])
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        return value
    raise ValueError("must name its unit, as in 90s, 10m, 2h or 1d")


Span = Annotated[timedelta, BeforeValidator(_read_span), Field(ge=timedelta(0))]


class Settings(BaseSettings):
    """All that can be set. Environment variables are named ``ORDERSETL_`` and the field in upper case."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERSETL_", extra="forbid", frozen=True, env_ignore_empty=True, nested_model_default_partial_update=False
    )

    api_url: str | None = Field(None, description="base URL of the API; without it the built-in sample answers")
    api_token: SecretStr | None = Field(None, description="bearer token; environment or file only")
    source: Literal["generic", "sample"] | None = Field(None, description="kind of API")
    output: Path = Field(Path("output"), description="folder of all that is kept")
    lookback: Span = Field(timedelta(minutes=10), description="overlap with the batch before, e.g. 10m")
    page_size: int = Field(1000, ge=1, le=1_000_000, description="orders asked for a page")
    timeout_s: float = Field(30.0, gt=0, le=3600, description="seconds to wait for the API to connect or to send")
    max_retries: int = Field(5, ge=0, le=100, description="tries after the first, for one page")
    retry_total_s: float = Field(300.0, ge=0, le=86400, description="most seconds to wait between tries, for one page")
    max_response_mb: int = Field(256, ge=1, le=4096, description="largest response that is accepted, in MiB")
    resume_within: Span = Field(timedelta(hours=24), description="oldest interrupted extraction that is taken up again")
    max_reject_ratio: float = Field(0.5, ge=0, le=1, description="rejected share of orders that stops a run")
    bulk: bool = Field(True, description="validate in bulk where that provably gives the models' verdict")
    chunk_mb: int = Field(24, ge=1, le=1024, description="raw JSON that one worker holds at a time, in MiB")
    workers: int | None = Field(None, ge=1, le=256, description="parallel workers; one a core if unset")

    @field_validator("api_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL")
        if parts.username or parts.password:
            raise ValueError("must hold no user or password: put the token in ORDERSETL_API_TOKEN")
        if parts.query or parts.fragment:
            raise ValueError("must hold no query and no fragment")
        _ = parts.port  # raises ValueError where it is no number
        return value.rstrip("/")

    @field_validator("api_token")
    @classmethod
    def _sendable_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            raise ValueError("must be printable ASCII, as a header can carry it")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the TOML file named in the class's configuration, if any."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(config: Path | None = None, **flags: Any) -> Settings:  # noqa: ANN401 - any flag's value
    """Settings of one command: given flags over the environment over the file over the defaults.

    Args:
        config: a TOML file that must exist; None takes ``ordersetl.toml`` in the working folder where there is one.
        flags: values by field name; None means that the flag was not given.

    Raises:
        ConfigError: naming each setting that is wrong, and why. Never shows a secret's value.
    """
    path = config if config is not None else Path(CONFIG_FILE)
    if config is not None and not config.is_file():
        raise ConfigError(f"there is no file {config}", hint="Give the path of a TOML file to --config.")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        found = FromFile(**{name: value for name, value in flags.items() if value is not None})
        return Settings.model_construct(_fields_set=found.model_fields_set, **dict(found))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {_plain(e['msg'])}" for e in error.errors())
        raise ConfigError(said, hint=f"Look at the flags, the ORDERSETL_ variables and {path}.") from None
    except ValueError as error:  # TOML that cannot be parsed, or is not UTF-8
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="Mend the file, or name another with --config.") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="Give this user permission to read it.") from None


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
