import csv
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest

from ordersetl.source.sample import SAMPLE_URL, Fault, page_cursor, sample_app, sample_orders, sample_references
from ordersetl.source.server import serve
from ordersetl.transform.models import ORDER_REASONS
from ordersetl.transform.order_lines import LINE_REASONS

ORDERS: list[dict[str, Any]] = [
    {"order_id": "a", "created_at": "2025-08-01T00:00:00Z", "updated_at": "2025-08-02T00:00:00Z"},
    {"order_id": "b", "created_at": "2025-08-03T00:00:00"},
    {"order_id": "c", "created_at": "2025-08-01T00:00:00Z", "updated_at": "2025-08-04T02:00:00+02:00"},
    {"order_id": "d", "created_at": "2025-08-05T00:00:00Z", "updated_at": None},
]

# One record for each reason to reject an order: what to look for in the fixture.
BAD_ORDERS: Mapping[str, Any] = {
    "not_an_object": "ord-10177",
    "missing_order_id": {"order_id": "   "},
    "invalid_order_id": {"order_id": "ord-" + "7" * 296},
    "missing_created_at": {"order_id": "ord-19007", "created_at": None},
    "invalid_created_at": {"order_id": "ord-19011", "created_at": "2025-08-32T10:00:00Z"},
    "invalid_updated_at": {"order_id": "ord-19012", "updated_at": "ayer por la tarde"},
    "invalid_user_id": {"order_id": "ord-19014", "user_id": "ñandú-" * 40},
    "invalid_amount": {"order_id": "ord-19015", "amount": -18.5},
    "no_items": {"order_id": "ord-19021", "items": []},
    "invalid_items": {"order_id": "ord-19025", "items": "TEA-201 x 1"},
    "no_valid_items": {"order_id": "ord-19027", "items": [None]},
    "missing_amount": {"order_id": "ord-19028", "amount": None},
    "invalid_discount": {"order_id": "ord-19029", "discount": -3},
    "invalid_tax": {"order_id": "ord-19030", "tax": "incl."},
    "invalid_shipping": {"order_id": "ord-19031", "shipping": True},
    "invalid_refund": {"order_id": "ord-19032", "refunds": [{"refund_id": "rf-701", "amount": 6.9}]},
    "invalid_cancelled_at": {"order_id": "ord-19033", "cancelled_at": "never"},
}

# Likewise for a line, of an order that has good lines too.
BAD_LINES: Mapping[str, Any] = {
    "invalid_item": "COF-101",
    "missing_sku": {"qty": 1, "price": 3},
    "invalid_sku": {"sku": "COF-" + "1" * 300, "qty": 1, "price": 11.9},
    "invalid_qty": {"sku": "PAP-702", "qty": "dos", "price": 16},
    "invalid_price": {"sku": "CAC-301", "qty": 2, "price": "gratis"},
    "invalid_discount": {"sku": "GIF-801", "qty": 1, "price": 88.7, "discount": "half"},
    "invalid_tax": {"sku": "GIF-801", "qty": 1, "price": 234900, "tax": -1},
}


def client(orders: list[Any] | None = None, **options: Any) -> httpx.Client:
    app = validator(sample_app(ORDERS if orders is None else orders, **options))
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url=SAMPLE_URL)


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [order["order_id"] for order in response.json()["orders"]]


def fetch_all(api: httpx.Client, **params: str) -> list[Any]:
    orders: list[Any] = []
    while True:
        page = api.get("/orders", params=params).raise_for_status().json()
        orders += page["orders"]
        if page["next_cursor"] is None:
            return orders
        params["cursor"] = page["next_cursor"]


def test_paging_returns_every_order_once_in_sequence() -> None:
    assert fetch_all(client(), limit="1") == ORDERS
    assert fetch_all(client(), limit="3") == ORDERS
    assert fetch_all(client(), limit="4") == ORDERS


def test_the_last_page_says_so_even_when_it_is_full() -> None:
    assert client().get("/orders", params={"limit": "4"}).json()["next_cursor"] is None


def test_an_empty_window_is_one_empty_page() -> None:
    answer = client().get("/orders", params={"updated_since": "2030-01-01"})
    assert answer.json() == {"orders": [], "next_cursor": None}
    assert answer.headers["content-type"] == "application/json"


def test_since_is_inclusive_and_until_exclusive_on_updated_at_or_else_created_at() -> None:
    api = client()
    assert ids(api.get("/orders", params={"updated_since": "2025-08-03T00:00:00Z"})) == ["b", "c", "d"]
    assert ids(api.get("/orders", params={"updated_until": "2025-08-03T00:00:00Z"})) == ["a"]
    window = {"updated_since": "2025-08-03T19:00:00-05:00", "updated_until": "2025-08-05"}
    assert ids(api.get("/orders", params=window)) == ["c"]


@pytest.mark.parametrize(
    "record",
    [None, "text", {"created_at": None}, {"updated_at": "ayer"}, {"created_at": "20250801"}, {"updated_at": 1}],
)
def test_a_record_without_a_readable_time_is_in_every_window(record: Any) -> None:
    assert client([record]).get("/orders", params={"updated_since": "2030-01-01"}).json()["orders"] == [record]


def test_a_change_of_the_list_shows_in_the_next_answer() -> None:
    orders = list(ORDERS)
    api = client(orders)
    orders.append({"order_id": "e"})
    assert ids(api.get("/orders")) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("params", [{}, {"updated_since": "2025-08-01"}])
@pytest.mark.parametrize("changed", [0, 1])
def test_a_cursor_stays_valid_when_orders_are_added_and_changed(changed: int, params: dict[str, str]) -> None:
    orders = [{"order_id": n, "created_at": f"2025-08-0{n + 1}T00:00:00Z"} for n in range(5)]
    api = client(orders, max_limit=2)
    first = api.get("/orders", params=params).json()
    # an order of the page that was read moves to the end, where an offset would skip one; another is added
    orders.append({**orders.pop(changed), "updated_at": "2025-08-09T00:00:00Z"})
    orders.append({"order_id": "new", "created_at": "2025-08-10T00:00:00Z"})
    rest = fetch_all(api, **params, cursor=first["next_cursor"])
    assert {order["order_id"] for order in rest} >= {2, 3, 4, changed, "new"}
    assert [order["order_id"] for order in rest][-2:] == [changed, "new"]


def test_a_limit_is_lowered_to_the_longest_page() -> None:
    assert ids(client(max_limit=2).get("/orders", params={"limit": "1000"})) == ["a", "b"]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"cursor": "nonsense"},
        {"cursor": "ñ"},
        {"cursor": page_cursor(5)},
        {"cursor": page_cursor(-1)},
        {"cursor": page_cursor(1, ORDERS) + "!"},
        {"updated_since": "yesterday"},
        {"updated_until": "1755700000"},
    ],
)
def test_a_bad_parameter_is_a_400_that_names_it(params: dict[str, str]) -> None:
    answer = client().get("/orders", params=params)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(next(iter(params)))


def test_another_path_is_a_404_and_another_method_a_405() -> None:
    assert client().get("/customers").status_code == 404
    assert client().get("/v2/shop/orders").status_code == 200
    answer = client().post("/orders")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert "error" in answer.json()


def test_a_token_is_asked_for_only_where_one_is_set() -> None:
    api = client(token="tórrido".encode().hex())
    assert api.get("/orders").status_code == 401
    assert api.get("/orders", headers={"Authorization": "Bearer other"}).json() == {
        "error": "the bearer token is missing or wrong"
    }
    assert api.get("/orders", headers={"Authorization": f"Bearer {'tórrido'.encode().hex()}"}).status_code == 200


def test_a_fault_hits_the_requests_it_is_meant_for() -> None:
    api = client(faults=[Fault(on={2}, status=503), Fault(every=4, status=429, headers={"Retry-After": "7"})])
    answers = [api.get("/orders") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 503, 200, 429, 200]
    assert answers[1].json() == {"error": "Service Unavailable"}
    assert answers[3].headers["retry-after"] == "7"


def test_a_fault_replaces_body_headers_and_cursor() -> None:
    html = Fault(on={1}, status=200, headers={"Content-Type": "text/html"}, body=b"<html></html>")
    redirect = Fault(on={2}, status=302, headers={"Location": "https://elsewhere.invalid/"})
    api = client(faults=[html, redirect, Fault(every=1, next_cursor=page_cursor(0))])
    page = api.get("/orders")
    assert (page.status_code, page.headers["content-type"], page.text) == (200, "text/html", "<html></html>")
    assert api.get("/orders").headers["location"] == "https://elsewhere.invalid/"
    assert api.get("/orders").json() == {"orders": ORDERS, "next_cursor": page_cursor(0)}


def test_a_truncated_body_is_shorter_than_announced() -> None:
    answer = client(faults=[Fault(on={1}, truncate=True)]).get("/orders")
    assert len(answer.content) < int(answer.headers["content-length"])


def test_the_app_answers_on_a_socket() -> None:
    app = sample_app(ORDERS, faults=[Fault(on={2}, truncate=True)])
    with serve(app) as url, httpx.Client(base_url=url, trust_env=False) as api:
        assert ids(api.get("/orders", params={"updated_since": "2025-08-03T00:00:00+00:00"})) == ["b", "c", "d"]
        with pytest.raises(httpx.RemoteProtocolError):
            api.get("/orders")
        assert fetch_all(api, limit="3") == ORDERS
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/orders", trust_env=False)


def test_the_module_serves_the_sample_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "ordersetl.source.sample", "--port", "0", "--fail", "503", "--every", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            greeting, _, try_this = (process.stdout.readline() for _ in range(3))
            url = greeting.split()[5].rstrip(";")
            answers = [httpx.get(f"{url}/orders", trust_env=False).status_code for _ in range(4)]
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert answers == [200, 503, 200, 503]
    assert f"ordersetl run --api-url {url} --users " in try_this
    assert (process.returncode, errors) == (0, "")


def test_by_default_the_app_has_the_sample_orders() -> None:
    api = httpx.Client(transport=httpx.WSGITransport(app=sample_app()), base_url=SAMPLE_URL)
    assert fetch_all(api) == sample_orders()


def _contains(record: Any, expected: Any) -> bool:
    if isinstance(record, dict) and isinstance(expected, dict):
        return all(name in record and record[name] == value for name, value in expected.items())
    return bool(record == expected)


def test_there_is_a_sample_of_every_reason() -> None:
    assert (set(BAD_ORDERS), set(BAD_LINES)) == (set(ORDER_REASONS) - {"too_deep"}, set(LINE_REASONS))


@pytest.mark.parametrize("reason", BAD_ORDERS)
def test_the_sample_has_an_order_for_every_reason(reason: str) -> None:
    assert [order for order in sample_orders() if _contains(order, BAD_ORDERS[reason])]


@pytest.mark.parametrize("reason", BAD_LINES)
def test_the_sample_has_a_line_for_every_reason(reason: str) -> None:
    assert [order for order in good_orders() if len(order["items"]) > 1 and BAD_LINES[reason] in order["items"]]


def good_orders() -> list[dict[str, Any]]:
    """Return the versions that no rule rejects: numbered below 19000, and not one of the two spoiled later on."""
    return [
        order
        for order in sample_orders()
        if isinstance(order, dict)
        and (number := str(order.get("order_id")).removeprefix("ord-")).isdigit()
        and int(number) < 19000
        and order.get("items")
        and order.get("amount") != "-1.00"
    ]


def utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def updated(order: dict[str, Any]) -> datetime:
    return utc(order.get("updated_at") or order["created_at"])


def test_the_sample_fills_every_day_of_august() -> None:
    versions = good_orders()
    winners = {order["order_id"]: order for order in sorted(versions, key=updated)}
    days = Counter(utc(order["created_at"]).date() for order in winners.values())
    august = [datetime(2025, 8, 1, tzinfo=UTC).date() + timedelta(days=day) for day in range(31)]
    assert (len(sample_orders()), len(versions), len(winners)) == (387, 346, 284)
    assert sorted(days) == august
    assert min(days[day] for day in august[19:]) >= 13
    assert {order["currency"].upper() for order in winners.values()} == {"USD", "EUR", "COP", "MXN", "PEN"}


def test_the_sample_comes_in_the_sequence_of_its_updates() -> None:
    times = [updated(order) for order in good_orders()]
    assert times == sorted(times)
    assert times[-1] < datetime(2025, 9, 2, tzinfo=UTC)


def test_the_sample_has_what_makes_orders_hard() -> None:
    versions: dict[str, list[dict[str, Any]]] = {}
    for order in good_orders():
        versions.setdefault(order["order_id"], []).append(order)
    histories = [history for history in versions.values() if len(history) > 1]
    assert any(len(history[-1]["items"]) < len(history[0]["items"]) for history in histories)
    assert any(history[-1].get("amount") != history[0].get("amount") for history in histories)
    assert any(utc(history[-1]["created_at"]).date() != utc(history[0]["created_at"]).date() for history in histories)
    assert any(updated(history[0]) == updated(history[1]) and history[0] != history[1] for history in histories)
    assert any(isinstance(order_id, int) for order_id in versions)


def test_the_sample_has_all_that_money_is_made_of() -> None:
    orders = {str(order["order_id"]): order for order in good_orders()}.values()  # the last version of each
    shares = {name: sum(name in order for order in orders) / len(orders) for name in ("discount", "tax", "shipping")}
    assert all(0.02 < share < 0.09 for share in shares.values()), shares
    for name in ("discount", "tax", "name"):
        assert any(name in item for order in orders for item in order["items"])
    refunds = {order["order_id"]: order["refunds"] for order in orders if "refunds" in order}
    assert len(refunds) == 11
    amounts = [order["amount"] - sum(r["amount"] for r in order["refunds"]) for order in orders if "refunds" in order]
    assert {amount == 0 for amount in amounts} == {True, False}
    parts = [sum(i["amount"] for i in r.get("items", [])) - r["amount"] for rs in refunds.values() for r in rs]
    assert {part > 0 for part in parts} == {(part < 0) for part in parts} == {True, False}
    assert len([order for order in orders if "cancelled_at" in order or order.get("status") == "cancelled"]) == 8
    assert len([order for order in sample_orders() if isinstance(order, dict) and order.get("deleted")]) == 2
    assert {order["user"]["country"] for order in orders if "user" in order} == {"CO", "ES", "PE", "US"}


def test_the_sample_is_strict_json_with_one_record_a_line() -> None:
    text = (sample_references()[0].parent / "orders.json").read_text(encoding="utf-8")
    records = json.loads(text, parse_constant=pytest.fail)
    assert text.splitlines()[1:-1] == [
        json.dumps(record, ensure_ascii=False) + ("," if more else "")
        for record, more in zip(records, [True] * (len(records) - 1) + [False], strict=True)
    ]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_sample_references_hold_each_key_once_but_not_every_key() -> None:
    users, products = map(rows, sample_references())
    user_ids, skus = {user["user_id"] for user in users}, {product["sku"] for product in products}
    assert (len(users), len(user_ids), len(products), len(skus)) == (40, 40, 30, 30)
    assert list(users[0]) == ["user_id", "email", "country", "created_at"]
    assert list(products[0]) == ["sku", "name", "category", "price"]
    assert all(user["email"].endswith("@example.com") for user in users)
    ordered = {str(order["user_id"]).strip() for order in good_orders() if order.get("user_id") is not None}
    assert ordered - user_ids == {"1090", "1091", "4021", "visitor-77", "visitor-78"}
    assert {
        item["sku"] for order in good_orders() for item in order["items"] if isinstance(item, dict) and "sku" in item
    } > skus
