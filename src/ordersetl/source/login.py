"""Who asks: credentials of the settings, or a token that is asked for with them and renewed while a command runs."""

import ipaddress
import json
import logging
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

import httpx

from ordersetl.errors import SourceError
from ordersetl.settings import Settings
from ordersetl.source.ask import Answer, Ask, Authorization
from ordersetl.source.asker import Asker
from ordersetl.source.description.consistency import CREDENTIALS
from ordersetl.source.description.credentials import list_credentials
from ordersetl.source.description.model import Description, TokenRequest
from ordersetl.source.parser import parse_json
from ordersetl.source.template import fill_body, fill_text

__all__ = ["SecretTexts", "SourceLogin", "is_loopback"]

log = logging.getLogger(__name__)

_NOT_SECRET = {"api_user", "client_id"}
_RANDOM = 16
"""Characters from which on a name looks like a key, and is kept out of messages too."""
_MARGIN_S = 60.0
"""How long before its end a token is renewed; half its life where that is shorter."""
_MAX_TOKEN = 16_384


@dataclass
class SecretTexts:
    """What no message may show; grows with each token."""

    texts: list[str] = field(default_factory=list, repr=False)

    def add(self, text: str) -> None:
        """Keep one more out of messages."""
        if text and text not in self.texts:
            self.texts.append(text)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.texts))


class SourceLogin:
    """Shows an API who asks, for all clients of a command.

    Args:
        description: of the source.
        url: its base.
        variables: of the description.
        settings: have the credentials.
        clock: seconds that only go forward.

    Attributes:
        secrets: what no message may show.
    """

    def __init__(
        self,
        description: Description,
        url: str,
        variables: Mapping[str, str],
        settings: Settings,
        *,
        clock: Callable[[], float],
    ) -> None:
        given = {name: getattr(settings, name) for name in CREDENTIALS}
        self._given = {name: secret.get_secret_value() for name, secret in given.items() if secret is not None}
        self._auth, self._url, self._name = description.auth, url, description.name
        self._values = {**variables, **self._given, "api_url": url}
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = float("inf")
        self.secrets = SecretTexts()
        for name, text in self._given.items():
            if name not in _NOT_SECRET or len(text) >= _RANDOM:
                self.secrets.add(text)
        self.secrets.add(self._given.get("api_token", "").rpartition(" ")[2])  # what an API may quote of it
        ways = list_credentials(self._auth)
        way = next((way for way in ways if set(way) <= self._given.keys()), ways[0] if ways else ())
        self._named = " and ".join(f"ORDERSETL_{name.upper()}" for name in way)
        if not ways:  # a header of the request may show who asks, by a variable
            self._named = f"auth in the description{', or its variables,' if description.variables else ''}"
        self._request = self._auth.token if set(way) <= self._given.keys() and way != ("api_token",) else None

    @property
    def token_url(self) -> str | None:
        """Where tokens are asked for; None where none are."""
        return None if self._request is None else fill_text(self._request.url, self._values)

    def warn_unencrypted(self) -> None:
        """Say that a secret would travel where everybody on the way can read it."""
        sent = bool(self._given) and self._auth.kind != "none"
        for url in dict.fromkeys([self._url if sent else None, self.token_url]):
            if url is not None and (at := httpx.URL(url)).scheme == "http" and not _stays_here(at.host):
                log.warning("secrets travel to %s unencrypted: use https:// where the API has it.", at.host)

    def authorize(self, asker: Asker) -> Authorization:
        """Headers or parameters that show who asks; a token that is about to expire is renewed first.

        Raises:
            SourceError: no token was given.
        """
        if self._request is None:
            return self._show(self._given.get("api_token"))
        with self._lock:
            if self._token is None or self._clock() >= self._expires:
                self._ask_token(asker, self._request)
            return self._show(self._token)

    def renew(self, status: int | None, used: Authorization) -> bool:
        """Whether another token is worth a try; whoever comes first drops the one that was used."""
        if self._request is None or status not in self._request.renew_on:
            return False
        with self._lock:
            if self._token is not None and self._show(self._token) == used:
                log.debug("the API no longer takes its token (HTTP %d): asking for another", status)
                self._token = None
        return True

    def _show(self, token: str | None) -> Authorization:
        auth, named = self._auth, self._named
        if auth.kind == "basic":
            pair = b64encode(f"{self._given.get('api_user', '')}:{self._given.get('api_password', '')}".encode())
            self.secrets.add(pair.decode())
            return Authorization({"Authorization": f"Basic {pair.decode()}"} if self._given else {}, {}, named)
        if auth.kind == "none" or token is None:
            return Authorization({}, {}, named)
        if auth.kind == "query":
            return Authorization({}, {auth.name or "": token}, named)
        if auth.kind == "header":
            return Authorization({auth.name or "": token}, {}, named)
        return Authorization({"Authorization": f"Bearer {token}"}, {}, named)

    def _ask_token(self, asker: Asker, request: TokenRequest) -> None:
        url = self.token_url or ""
        body = {**self._grant(request), **fill_body(request.body, self._values)}
        kind = "application/json" if request.send == "json" else "application/x-www-form-urlencoded"
        content = json.dumps(body) if request.send == "json" else urlencode(body)
        authorization = Authorization(self._identify(request), settings=self._named)
        ask = Ask(
            url, {}, "POST", {"Content-Type": kind}, content.encode(), authorization, path="the token", follows=False
        )
        try:
            self._expires = asker.ask_apart(ask, lambda answer: self._read_token(request, ask.shown, answer))
        except SourceError as error:
            hint = f"Look at {self._named}, and at what the API says."
            raise SourceError(f"no access token was given: {error.message}", hint=hint) from error

    def _read_token(self, request: TokenRequest, shown: str, answer: Answer) -> float:
        """Keep the token of an answer; until when it is used."""
        content = parse_json(answer.body)
        token = request.token.search(content)
        if not isinstance(token, str) or not (token.isascii() and token.isprintable() and 0 < len(token) < _MAX_TOKEN):
            raise SourceError(f"{shown} answered HTTP 200, and there is no token at {request.token.text}")
        self.secrets.add(token)
        self._token = token
        another = content.get("refresh_token") if isinstance(content, dict) else None
        if request.grant == "refresh_token" and isinstance(another, str) and another:
            self.secrets.add(another)
            self._values["refresh_token"] = another  # some are good for one renewal only
        lasts = request.expires_in.search(content) if request.expires_in else None
        seconds = _read_seconds(lasts)
        if seconds is None and request.lifetime is not None:
            seconds = request.lifetime.total_seconds()
        return float("inf") if seconds is None else self._clock() + max(seconds - _MARGIN_S, seconds / 2)

    def _identify(self, request: TokenRequest) -> dict[str, str]:
        """The header that shows which client asks, form-encoded first (RFC 6749, 2.3.1); none where the body does."""
        if request.client == "body":
            return {}
        pair = ":".join(quote_plus(str(self._values.get(name, ""))) for name in ("client_id", "client_secret"))
        encoded = b64encode(pair.encode()).decode()
        self.secrets.add(encoded)
        return {"Authorization": f"Basic {encoded}"}

    def _grant(self, request: TokenRequest) -> dict[str, str]:
        if request.grant == "request":
            return {}
        sent = [] if request.client == "basic" else ["client_id", "client_secret"]
        sent += ["refresh_token"] if request.grant == "refresh_token" else []
        return {"grant_type": request.grant, **{name: self._values[name] for name in sent if name in self._values}}


def _stays_here(host: str) -> bool:
    """Whether what is sent there leaves this machine not; nothing does to a name that is none (RFC 6761)."""
    return is_loopback(host) or host.endswith(".invalid")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself: what is sent there, nobody else reads."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _read_seconds(value: object) -> float | None:
    try:
        seconds = None if value is None or isinstance(value, bool) else float(str(value))
    except ValueError:
        return None
    return seconds if seconds is not None and 0 < seconds < float("inf") else None
