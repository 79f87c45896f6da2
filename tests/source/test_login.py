"""Who asks: how credentials are sent, where they never go, and tokens that are asked for and renewed."""

import json
import logging
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from described_api import BASE, Api, describe, fetch, ids_of, open_client, request_of

from ordersetl.errors import SourceError
from ordersetl.source.login import is_loopback

PAGING = {"kind": "cursor", "next": "next", "end": "null"}
TOKEN_URL = "https://login.test/token"  # noqa: S105 - an address
TOKEN = "t1"  # noqa: S105 - of a test
SECRET = "s3cret-of-the-client"  # noqa: S105 - of a test
CLIENT: dict[str, Any] = {"client_id": "me", "client_secret": SECRET}


def describe_login(auth: dict[str, Any], **given: Any) -> Any:
    return describe(paging=PAGING, auth=auth, **given)


@pytest.mark.parametrize(
    ("auth", "settings", "header", "value"),
    [
        ({"kind": "bearer"}, {"api_token": TOKEN}, "Authorization", "Bearer t1"),
        ({"kind": "header", "name": "X-Token"}, {"api_token": TOKEN}, "X-Token", "t1"),
        ({"kind": "header", "name": "Authorization"}, {"api_token": "Token t1"}, "Authorization", "Token t1"),
        ({"kind": "basic"}, {"api_user": "ck", "api_password": "cs"}, "Authorization", "Basic Y2s6Y3M="),
        ({"kind": "none"}, {"api_token": TOKEN}, "Authorization", None),
        ({"kind": "bearer", "required": False}, {}, "Authorization", None),
    ],
)
def test_credentials_are_sent_as_the_source_wants_them(
    auth: dict[str, Any], settings: dict[str, Any], header: str, value: str | None
) -> None:
    api = Api.of(5, "cursor")
    fetch(api, describe_login(auth), **settings)
    assert [asked.headers.get(header) for asked in api.asked] == [value, value]


def test_credentials_may_go_into_the_query() -> None:
    api = Api.of(5, "cursor")
    fetch(api, describe_login({"kind": "query", "name": "key"}), api_token=TOKEN)
    assert [asked.url.params["key"] for asked in api.asked] == ["t1", "t1"]


@pytest.mark.parametrize(
    ("variables", "hint"),
    [
        ({}, "Set auth in the description to what the API accepts."),
        ({"key": {"description": "a key"}}, "Set auth in the description, or its variables, to what the API accepts."),
    ],
)
def test_a_refusal_says_where_the_way_to_show_who_asks_is_set(variables: dict[str, Any], hint: str) -> None:
    source = describe_login({"kind": "none"}, variables=variables)
    with pytest.raises(SourceError, match="HTTP 401") as caught:
        fetch(lambda _: httpx.Response(401), source)
    assert caught.value.hint == hint


# Tokens


class Shop:
    """An API that takes the tokens that its login gives, each so many times."""

    def __init__(self, *, uses: int = 100, expires_in: Any = None, status: int = 401) -> None:
        self.api, self.uses, self.expires_in, self.status = Api.of(12, "cursor"), uses, expires_in, status
        self.logins: list[httpx.Request] = []
        self.left = 0
        self.lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            if request.url.host == "login.test":
                self.logins.append(request)
                self.left = self.uses
                answer = {"access_token": f"token-{len(self.logins)}", "expires_in": self.expires_in}
                return httpx.Response(200, json=answer)
            if self.left == 0 or request.headers.get("X-Token") != f"token-{len(self.logins)}":
                return httpx.Response(self.status, json={"message": f"{request.headers.get('X-Token')} is no good"})
            self.left -= 1
            return self.api(request)


def token(**given: Any) -> dict[str, Any]:
    usual = {"grant": "client_credentials", "url": TOKEN_URL, "token": "access_token", "expires_in": "expires_in"}
    return {"kind": "header", "name": "X-Token", "token": {**usual, **given}}


def test_the_client_may_show_itself_in_a_header() -> None:
    shop = Shop()
    with_colon: dict[str, Any] = {"client_id": "a:b", "client_secret": "c d"}
    pages = fetch(shop, describe_login(token(client="basic")), **with_colon)
    assert ids_of(pages) == list(range(12))
    (login,) = shop.logins
    assert login.headers["Authorization"] == "Basic " + b64encode(b"a%3Ab:c+d").decode()
    assert parse_qs(login.content.decode()) == {"grant_type": ["client_credentials"]}
    assert not any("Authorization" in asked.headers for asked in shop.api.asked)


def test_a_token_is_asked_for_with_its_own_credentials_and_nothing_else() -> None:
    shop = Shop()
    headers = {"X-Shop": "mine"}
    request = {"path": "/orders", "headers": headers, "params": {"limit": "${page_size}", "cursor": "${cursor}"}}
    pages = fetch(shop, describe_login(token(), request=request), **CLIENT, api_password=SECRET[::-1])
    assert ids_of(pages) == list(range(12))
    (login,) = shop.logins
    assert parse_qs(login.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["me"],
        "client_secret": [SECRET],
    }
    assert not {"x-shop", "x-token", "authorization"} & set(login.headers)
    assert SECRET[::-1] not in str(login.headers)


@pytest.mark.parametrize(
    ("auth", "settings", "sent"),
    [
        (
            token(grant="refresh_token"),
            {"refresh_token": "r1", **CLIENT},
            {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "me", "client_secret": SECRET},
        ),
        (
            token(grant="request", send="json", body={"name": "${api_user}", "password": "${api_password}", "x": 1}),
            {"api_user": "me", "api_password": "pw"},
            {"name": "me", "password": "pw", "x": 1},
        ),
    ],
)
def test_every_grant_sends_what_it_says(auth: dict[str, Any], settings: dict[str, Any], sent: dict[str, Any]) -> None:
    shop = Shop()
    fetch(shop, describe_login(auth), **settings)
    content = shop.logins[0].content.decode()
    got = json.loads(content) if content.startswith("{") else {k: v[0] for k, v in parse_qs(content).items()}
    assert got == sent


def test_a_token_that_people_hold_is_used_where_nothing_else_is_set() -> None:
    api = Api.of(5, "cursor")
    fetch(api, describe_login(token()), api_token=TOKEN)
    assert {asked.headers["X-Token"] for asked in api.asked} == {TOKEN}


@pytest.mark.parametrize("status", [400, 401, 403, 408, 419, 498])
def test_a_token_is_renewed_in_mid_run(status: int) -> None:
    shop = Shop(uses=2, status=status)
    assert ids_of(fetch(shop, describe_login(token(renew_on=[status])), **CLIENT)) == list(range(12))
    assert len(shop.logins) == 2


def test_a_token_is_renewed_before_it_expires() -> None:
    shop, pauses = Shop(expires_in="100"), list[float]()
    with open_client(shop, describe_login(token()), pauses=pauses, **CLIENT) as client:
        pages = client.pages(request_of())
        next(pages)
        pauses.append(30)
        next(pages)
        assert len(shop.logins) == 1
        pauses.append(30)
        next(pages)
    assert len(shop.logins) == 2


def test_a_token_that_does_not_help_is_asked_for_once() -> None:
    shop = Shop(uses=0)
    with pytest.raises(SourceError, match=r"HTTP 401 .*the token was refused") as caught:
        fetch(shop, describe_login(token()), **CLIENT)
    assert len(shop.logins) == 2
    assert "ORDERSETL_CLIENT_ID and ORDERSETL_CLIENT_SECRET" in caught.value.hint
    assert "token-" not in caught.value.message


@pytest.mark.parametrize("status", [400, 419])
def test_a_status_that_means_something_else_with_a_fresh_token_is_told_as_always(status: int) -> None:
    shop = Shop(uses=0, status=status)
    with pytest.raises(SourceError, match=rf"/orders answered HTTP {status}.*is no good"):
        fetch(shop, describe_login(token(renew_on=[401, status])), **CLIENT)
    assert len(shop.logins) == 2


@pytest.mark.parametrize("status", [400, 403])
def test_another_status_renews_nothing(status: int) -> None:
    shop = Shop(uses=0, status=status)
    with pytest.raises(SourceError, match=f"HTTP {status}"):
        fetch(shop, describe_login(token()), **CLIENT)
    assert len(shop.logins) == 1


def test_all_workers_share_one_renewal() -> None:
    shop = Shop()
    description = describe_login(token())
    with open_client(shop, description, **CLIENT) as client:
        list(client.pages(request_of()))
        shop.left = 0
        login, asker = client.session.login, client._asker  # noqa: SLF001 - several at the same time
        used = login.authorize(asker)

        def renew(_: int) -> str:
            assert login.renew(401, used)
            return login.authorize(asker).headers["X-Token"]

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(renew, range(8))) == {"token-2"}
    assert len(shop.logins) == 2


def test_a_refresh_token_may_be_good_for_one_renewal() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != "login.test":
            return httpx.Response(401)
        asked.append(parse_qs(request.content.decode())["refresh_token"][0])
        return httpx.Response(200, json={"access_token": f"a{len(asked)}", "refresh_token": f"r{len(asked) + 1}"})

    with pytest.raises(SourceError):
        fetch(answer, describe_login(token(grant="refresh_token")), **{**CLIENT, "refresh_token": "r1"})
    assert asked == ["r1", "r2"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(200, json={"access": "x"}), "there is no token at access_token"),
        (httpx.Response(200, json={"access_token": "a b\n"}), "there is no token at access_token"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(401, json={"error": SECRET}), "CLIENT_SECRET was refused"),
        (httpx.Response(400, json={"error": f"invalid_client {SECRET}"}), "HTTP 400"),
        (httpx.Response(302, headers={"Location": "https://evil.test/"}), "redirects"),
        (httpx.Response(307, headers={"Location": "https://evil.test/"}), "redirects a POST to https://evil.test/"),
        (httpx.Response(503), "failed: HTTP 503"),
    ],
)
def test_a_token_that_is_not_given_is_an_error_without_secrets(answer: httpx.Response, problem: str) -> None:
    hosts = []

    def handle(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    with pytest.raises(SourceError, match=problem) as caught:
        fetch(handle, describe_login(token()), **CLIENT)
    assert caught.value.message.startswith("no access token was given")
    assert SECRET not in caught.value.message + caught.value.hint
    assert set(hosts) == {"login.test"}


def test_a_token_url_is_shown_without_its_query() -> None:
    auth = token(url=f"{TOKEN_URL}?key={SECRET}")
    with pytest.raises(
        SourceError, match=r"https://login\.test/token answered HTTP 200, and there is no token"
    ) as caught:
        fetch(lambda _: httpx.Response(200, json={"access": "x"}), describe_login(auth), **CLIENT)
    assert SECRET not in caught.value.message


# Origins


@pytest.mark.parametrize(
    "target", ["https://other.test/api/orders", "http://shop.test/api/orders", "https://shop.test:444/"]
)
@pytest.mark.parametrize("auth", [{"kind": "header", "name": "X-Token"}, {"kind": "bearer"}])
def test_credentials_do_not_follow_a_redirect_to_another_origin(auth: dict[str, Any], target: str) -> None:
    api = Api.of(2, "cursor")

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(f"{BASE}/orders"):
            return httpx.Response(302, headers={"Location": f"{target}?limit=3"})
        return api(request)

    fetch(answer, describe_login(auth), api_token=SECRET)
    assert SECRET not in str(api.asked[0].headers)


@pytest.mark.parametrize("name", ["key", "k2", "back"])
def test_a_key_in_the_query_does_not_follow_a_redirect_to_another_origin(name: str) -> None:
    hosts = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        given = str(request.url) if name == "back" else request.url.params["key"]
        target = httpx.URL("https://other.test/api/orders", params={name: given})
        return httpx.Response(307, headers={"Location": str(target)})

    with pytest.raises(
        SourceError, match=r"redirects with its key to https://other\.test/api/orders, another"
    ) as caught:
        fetch(answer, describe_login({"kind": "query", "name": "key"}), api_token=SECRET)
    assert SECRET not in caught.value.message
    assert hosts == ["shop.test"]


def test_a_redirect_to_another_origin_without_the_key_is_followed() -> None:
    api = Api.of(2, "cursor")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "shop.test":
            return httpx.Response(307, headers={"Location": "https://other.test/api/orders?limit=3"})
        return api(request)

    assert ids_of(fetch(answer, describe_login({"kind": "query", "name": "key"}), api_token=SECRET)) == [0, 1]


def test_credentials_follow_a_redirect_within_the_origin() -> None:
    api = Api.of(2, "cursor")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/orders":
            return httpx.Response(301, headers={"Location": "/api/moved?limit=3"})
        return api(request)

    fetch(answer, describe_login({"kind": "header", "name": "X-Token"}), api_token=SECRET)
    assert api.asked[0].headers["X-Token"] == SECRET


@pytest.mark.parametrize(
    "target", ["https://other.test/x", "http://shop.test/api/x", "https://u:p@shop.test/api", "//other.test/"]
)
@pytest.mark.parametrize("kind", ["link", "next_url"])
def test_a_next_page_at_another_origin_is_refused(kind: str, target: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(
            200, json={"orders": [{"id": 1}], "next": target}, headers={"Link": f'<{target}>; rel="next"'}
        )

    paging = {"kind": kind, "end": "absent", **({"next": "next"} if kind == "next_url" else {})}
    with pytest.raises(SourceError, match="another origin"):
        fetch(answer, describe(paging=paging, auth={"kind": "bearer"}), api_token=SECRET)
    assert asked == ["shop.test"]


def test_no_secret_of_a_query_is_in_a_message() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"asked": str(request.url)})

    with pytest.raises(SourceError) as caught:
        fetch(answer, describe_login({"kind": "query", "name": "key"}), api_token=SECRET)
    assert SECRET not in caught.value.message
    assert "***" in caught.value.message


@pytest.mark.parametrize("auth", [{"kind": "query", "name": "key"}, {"kind": "basic"}, {"kind": "bearer"}, token()])
def test_no_secret_is_logged(auth: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shop = Shop()
    given = CLIENT if "token" in auth else {"api_token": SECRET, "api_user": "me", "api_password": SECRET}
    fetch(shop if "token" in auth else shop.api, describe_login(auth), **given)
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("ordersetl"))
    assert "GET https://shop.test/api/orders (limit=3, cursor=c3, page=2, offset=4): HTTP 200" in ours
    assert SECRET not in ours
    assert "token-1" not in ours


LOOPBACKS = {"localhost": True, "127.0.0.1": True, "[::1]": True, "localhost.evil.test": False, "127.evil.test": False}


@pytest.mark.parametrize("host", [*LOOPBACKS, "shop.test"])
def test_only_this_machine_is_a_loopback(host: str) -> None:
    assert is_loopback(httpx.URL(f"http://{host}:80/").host) is LOOPBACKS.get(host, False)


def test_a_secret_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    auth = token(url="http://login.test/token")
    with open_client(Shop(), describe_login(auth), **CLIENT) as client:
        client.session.warn_unencrypted()
    assert "secrets travel to login.test unencrypted" in caplog.text
    assert "shop.test" not in caplog.text
