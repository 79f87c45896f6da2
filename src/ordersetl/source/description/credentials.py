"""Which credentials a description wants, of the settings there are."""

from collections.abc import Collection

from ordersetl.errors import ConfigError
from ordersetl.source.description.consistency import CREDENTIALS
from ordersetl.source.description.model import Auth, Description
from ordersetl.source.description.templates import find_names

__all__ = ["list_credentials", "require_credentials", "require_fit_token"]

_GRANTS = {"client_credentials": ("client_id", "client_secret"), "refresh_token": ("refresh_token",)}


def list_credentials(auth: Auth) -> list[tuple[str, ...]]:
    """Settings that are enough, each way on its own; none where nobody needs to show who asks.

    The way that the description prefers comes first: a token that is asked for, before one that people hold.
    """
    match auth.kind:
        case "none":
            return []
        case "basic":
            return [("api_user", "api_password")]
        case _:
            asked_for = _list_of_token(auth)
            return [*([asked_for] if asked_for else []), ("api_token",)]


def require_credentials(description: Description, given: Collection[str]) -> None:
    """Require that enough settings are given, by name.

    Raises:
        ConfigError: naming the variables that are missing.
    """
    ways = list_credentials(description.auth)
    if not ways or not description.auth.required or any(set(way) <= set(given) for way in ways):
        return
    begun = [way for way in ways if set(way) & set(given)]
    missing = [" and ".join(f"ORDERSETL_{name.upper()}" for name in way if name not in given) for way in begun or ways]
    raise ConfigError(
        f"the source {description.name} needs credentials{', and some are missing' if begun else ''}",
        hint=f"Set {', or '.join(missing)}; each may be in a file, as ORDERSETL_{(begun or ways)[0][-1].upper()}_FILE.",
    )


def require_fit_token(auth: Auth, token: str) -> None:
    """Refuse a token with a blank where the scheme is put before it; as the whole of a header it may name its own.

    Raises:
        ConfigError: it has one.
    """
    if auth.kind == "bearer" and " " in token:
        raise ConfigError(
            "the token has a blank in it, and none has that travels behind Bearer",
            hint="Set ORDERSETL_API_TOKEN to the token alone, without a word before it.",
        )


def _list_of_token(auth: Auth) -> tuple[str, ...]:
    if auth.token is None:
        return ()
    in_body = [name for name in find_names(auth.token.body) if name in CREDENTIALS]
    return tuple(dict.fromkeys([*_GRANTS.get(auth.token.grant, ()), *in_body]))
