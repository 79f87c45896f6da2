"""The servers of the shapes: what they answer, and that they refuse what the real ones refuse."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from ordersetl.source.sample.amazon import CREDENTIALS, amazon
from ordersetl.source.sample.bigcommerce import bigcommerce
from ordersetl.source.sample.exchange import Server, as_app
from ordersetl.source.sample.faults import Fault, RandomFaults
from ordersetl.source.sample.graphql import GraphQLError, cost_of, parse_query
from ordersetl.source.sample.magento import magento
from ordersetl.source.sample.shapes import SHAPES, list_faults, list_settings, shape_server
from ordersetl.source.sample.shop import Shop
from ordersetl.source.sample.shop_orders import sample_shop, stretch_shop
from ordersetl.source.sample.shopify import shopify
from ordersetl.source.sample.square import LOCATIONS, square
from ordersetl.source.sample.woocommerce import KEYS, woocommerce

SHOP = sample_shop()
SEARCH = "searchCriteria"
NEWEST = max(order.updated_at for order in SHOP.list_orders())


def open_client(server: Server, faults: Sequence[Fault | RandomFaults] = (), **options: Any) -> httpx.Client:
    transport = httpx.WSGITransport(app=as_app(server, faults))
    return httpx.Client(transport=transport, base_url="http://test", **options)


# Shopify


class Graph:
    """Asks Shopify's sample."""

    def __init__(self, server: Server, version: str = "2026-04") -> None:
        self.client = open_client(server, headers={"X-Shopify-Access-Token": "shpat_sample"})
        self.path = f"/admin/api/{version}/graphql.json"

    def ask(self, document: str, /, **variables: object) -> Any:
        return self.client.post(self.path, json={"query": document, "variables": variables}).json()

    def orders(self, fields: str = "nodes { id }", **arguments: object) -> Any:
        usual = {"first": 100, "query": "updated_at:>='2025-01-01T00:00:00Z' AND updated_at:<'2026-01-01T00:00:00Z'"}
        query = (
            "query($first: Int, $after: String, $query: String) { orders(first: $first, after: $after, query: $query, "
        )
        return self.ask(query + f"sortKey: UPDATED_AT) {{ {fields} }} }}", **(usual | arguments))


def test_shopify_answers_the_fields_that_are_asked_for_page_by_page() -> None:
    graph, ids, after = Graph(shopify(SHOP)), [], None
    while True:
        page = graph.orders("nodes { id } pageInfo { hasNextPage endCursor }", after=after)["data"]["orders"]
        ids += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(ids) == len(set(ids)) == 246
    assert page["nodes"][0].keys() == {"id"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ orders(first: 5, query: $q, sortKey: UPDATED_AT) { nodes { id } } }", "used but not declared"),
        ("{ orders { nodes { id } } }", "searches by updated_at"),
        ("{ orders(first: 251, status: any) { nodes { id } } }", "from 1 to 250"),
        ("{ orders(first: 5, status: any) { nodes { id } } }", "doesn't accept argument 'status'"),
        ("{ orders(first: 5", "unexpected end of file"),
        ("{ shop { name } }", "Field 'shop' doesn't exist"),
        ("", "unexpected end of file"),
    ],
)
def test_shopify_refuses_a_query_in_an_answer_of_200(query: str, message: str) -> None:
    answer = Graph(shopify(SHOP)).ask(query)
    assert message in answer["errors"][0]["message"]
    assert "data" not in answer


def test_shopify_refuses_fields_that_there_are_not() -> None:
    assert "'totalPrice'" in Graph(shopify(SHOP)).orders("nodes { totalPrice }")["errors"][0]["message"]
    assert "must have selections" in Graph(shopify(SHOP)).orders("nodes { totalPriceSet }")["errors"][0]["message"]
    assert (
        "you must provide"
        in Graph(shopify(SHOP)).orders("nodes { lineItems { nodes { id } } }")["errors"][0]["message"]
    )


def test_shopify_throttles_by_cost_and_restores_points_by_the_second() -> None:
    seconds = [0.0]
    graph = Graph(shopify(SHOP, capacity=30, restored=10, clock=lambda: seconds[0]))
    statuses = [
        graph.orders().get("errors", [{"extensions": {"code": "fine"}}])[0]["extensions"]["code"] for _ in range(9)
    ]
    assert statuses[0] == "fine"
    assert statuses[-1] == "THROTTLED"
    seconds[0] = 10.0
    answer = graph.orders()
    assert answer["data"]
    assert answer["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 10.0


def test_shopify_refuses_a_query_that_costs_too_much() -> None:
    fields = "variant { legacyResourceId } product { legacyResourceId } originalUnitPriceSet { shopMoney { amount } }"
    answer = Graph(shopify(SHOP)).orders(
        f"nodes {{ lineItems(first: 250) {{ nodes {{ {fields} {fields} }} }} }}", first=250
    )
    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_shopify_ends_at_its_ceiling() -> None:
    graph = Graph(shopify(stretch_shop(SHOP, 300), max_objects=200))
    first = graph.orders("nodes { id } pageInfo { endCursor }")["data"]["orders"]["pageInfo"]["endCursor"]
    second = graph.orders("nodes { id } pageInfo { endCursor }", after=first)["data"]["orders"]["pageInfo"]["endCursor"]
    assert "limited to 200" in graph.orders(after=second)["errors"][0]["message"]


def test_shopify_shows_sixty_days_without_the_right_to_more_and_says_which_rights_there_are() -> None:
    server = shopify(SHOP, scopes=("read_orders",), now=lambda: datetime(2025, 10, 20, tzinfo=UTC))
    shown = Graph(server).orders("nodes { createdAt }", first=250)["data"]["orders"]["nodes"]
    assert min(node["createdAt"] for node in shown) >= "2025-08-21"
    assert Graph(server).client.get("/admin/oauth/access_scopes.json").json() == {
        "access_scopes": [{"handle": "read_orders"}]
    }


def test_shopify_gives_tokens_that_are_good_for_a_while_and_says_its_version() -> None:
    client = open_client(shopify(SHOP, token_uses=1, served_version="2026-07"))
    given = {"grant_type": "client_credentials", "client_id": "sample", "client_secret": "shpss_sample"}
    token = client.post("/admin/oauth/access_token", data=given).json()["access_token"]
    assert client.post("/admin/oauth/access_token", data=given | {"client_secret": "wrong"}).status_code == 400
    headers = {"X-Shopify-Access-Token": token}
    first, second = (client.post("/admin/api/2026-04/graphql.json", json={}, headers=headers) for _ in range(2))
    assert first.headers["X-Shopify-API-Version"] == "2026-07"
    assert second.status_code == 401


def test_costs_grow_with_the_logarithm_of_what_is_asked_for() -> None:
    shown = parse_query("{ product { variants(first: 250) { nodes { inventoryItem { id } } } } }", {})
    assert cost_of(shown) == 25  # as Shopify answered to this query
    with pytest.raises(GraphQLError, match="'}'"):
        parse_query("{ a } }", {})


# WooCommerce


@pytest.fixture
def woo() -> Iterator[httpx.Client]:
    with open_client(woocommerce(SHOP), auth=KEYS) as client:
        yield client


def numbers(answer: httpx.Response, name: str = "id") -> list[int]:
    return [record[name] for record in answer.json()]


def test_woocommerce_pages_with_totals_and_shows_the_trash_only_when_asked(woo: httpx.Client) -> None:
    answer = woo.get("/wp-json/wc/v3/orders", params={"per_page": 100, "orderby": "id", "order": "asc", "page": 3})
    assert (answer.headers["X-WP-Total"], answer.headers["X-WP-TotalPages"]) == ("270", "3")
    assert len(answer.json()) == 70
    assert "Link" not in answer.headers
    trash = woo.get("/wp-json/wc/v3/orders", params={"status": "trash"})
    assert [order["status"] for order in trash.json()] == ["trash"]
    both = woo.get("/wp-json/wc/v3/orders", params={"status": "any,trash"})
    assert both.headers["X-WP-Total"] == "270", "any makes it forget the trash"


def test_woocommerce_filters_strictly_and_by_the_sites_clock_unless_told_that_it_is_gmt(woo: httpx.Client) -> None:
    exact = f"{NEWEST:%Y-%m-%dT%H:%M:%S}"
    path = "/wp-json/wc/v3/orders"
    assert numbers(woo.get(path, params={"modified_after": exact, "dates_are_gmt": "true"})) == []
    earlier = f"{NEWEST - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    assert len(numbers(woo.get(path, params={"modified_after": earlier, "dates_are_gmt": "true"}))) == 1
    assert numbers(woo.get(path, params={"modified_after": earlier})) == []
    assert len(numbers(woo.get(path, params={"modified_after": f"{earlier}+00:00", "dates_are_gmt": "true"}))) == 1
    assert numbers(woo.get(path, params={"modified_before": "2025-08-01T02:42:20", "dates_are_gmt": "true"})) == []


@pytest.mark.parametrize("params", [{"per_page": 101}, {"limit": 5}, {"modified_after": "yesterday"}, {"orderby": "x"}])
def test_woocommerce_refuses_parameters(woo: httpx.Client, params: dict[str, Any]) -> None:
    assert woo.get("/wp-json/wc/v3/orders", params=params).json()["code"] == "rest_invalid_param"


def test_woocommerce_refuses_strangers_and_other_paths(woo: httpx.Client) -> None:
    assert woo.get("/wp-json/wc/v3/orders", auth=("ck_sample", "wrong")).status_code == 401
    assert woo.get("/wp-json/wc/v3/orders/1/refunds").status_code == 404
    assert woo.get("/wp-json/wc/v3/customers").status_code == 404


# Magento


@pytest.fixture
def shop_of_magento() -> Iterator[httpx.Client]:
    with open_client(magento(SHOP), headers={"Authorization": "Bearer sample"}) as client:
        yield client


def criteria(page: int, size: int = 100, **more: str) -> dict[str, str]:
    sort = {f"{SEARCH}[sortOrders][0][field]": "entity_id", f"{SEARCH}[sortOrders][0][direction]": "ASC"}
    return sort | {f"{SEARCH}[pageSize]": str(size), f"{SEARCH}[currentPage]": str(page)} | more


def filtered(condition: str, value: str) -> dict[str, str]:
    first = f"{SEARCH}[filter_groups][0][filters][0]"
    return {f"{first}[field]": "updated_at", f"{first}[condition_type]": condition, f"{first}[value]": value}


def test_magento_repeats_its_last_page_past_the_end(shop_of_magento: httpx.Client) -> None:
    last, past = (shop_of_magento.get("/rest/all/V1/orders", params=criteria(page)).json() for page in (3, 9))
    assert last["total_count"] == 268
    assert len(last["items"]) == 68
    assert past["items"] == last["items"]
    newer = open_client(magento(SHOP, page_ends=True), headers={"Authorization": "Bearer sample"})
    assert newer.get("/rest/all/V1/orders", params=criteria(9)).json()["items"] == []


def test_magento_filters_by_conditions(shop_of_magento: httpx.Client) -> None:
    exact = f"{NEWEST:%Y-%m-%d %H:%M:%S}"
    counts = {
        condition: shop_of_magento.get("/rest/all/V1/orders", params=criteria(1) | filtered(condition, exact)).json()[
            "total_count"
        ]
        for condition in ("gt", "gteq", "lt", "lteq", "eq")
    }
    assert counts == {"gt": 0, "gteq": 1, "lt": 267, "lteq": 268, "eq": 1}


@pytest.mark.parametrize(
    "params", [criteria(1, 301), criteria(1) | {"limit": "5"}, criteria(1) | filtered("gteq", "2025-08-01T00:00:00Z")]
)
def test_magento_refuses_criteria(shop_of_magento: httpx.Client, params: dict[str, str]) -> None:
    assert shop_of_magento.get("/rest/all/V1/orders", params=params).status_code == 400


def test_magento_gives_administrators_a_token_for_a_while() -> None:
    client = open_client(magento(SHOP, token_uses=1))
    path = "/rest/all/V1/integration/admin/token"
    token = client.post(path, json={"username": "admin", "password": "admin123"}).json()
    assert client.post(path, json={"username": "admin", "password": "wrong"}).status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    statuses = [client.get("/rest/all/V1/orders", params=criteria(1), headers=headers).status_code for _ in range(2)]
    assert statuses == [200, 401]


# BigCommerce

HEADERS = {"X-Auth-Token": "sample", "Accept": "application/json"}
ORDERS = "/stores/sample/v2/orders"


def test_bigcommerce_answers_an_empty_page_without_a_body_and_lines_by_a_link() -> None:
    client = open_client(bigcommerce(SHOP), headers=HEADERS)
    page = client.get(ORDERS, params={"limit": 250})
    assert len(page.json()) == 246
    assert "/products" in page.json()[0]["products"]["resource"]
    empty = client.get(ORDERS, params={"limit": 250, "page": 2})
    assert (empty.status_code, empty.content) == (204, b"")
    assert len(client.get(f"{ORDERS}/20010/products", params={"limit": 250}).json()) == 120
    assert len(client.get(f"{ORDERS}/20010/products").json()) == 50


def test_bigcommerce_lists_archived_orders_apart_and_refunds_in_version_3() -> None:
    client = open_client(bigcommerce(SHOP), headers=HEADERS)
    archived = client.get(ORDERS, params={"is_deleted": "true"}).json()
    assert [order["is_deleted"] for order in archived] == [True]
    refunds = client.get("/stores/sample/v3/orders/10102/payment_actions/refunds").json()["data"]
    assert [refund["total_amount"] for refund in refunds] == [11.62, 3.04]


def test_bigcommerce_counts_requests_in_milliseconds() -> None:
    seconds = [0.0]
    client = open_client(bigcommerce(SHOP, quota=2, window_ms=500, clock=lambda: seconds[0]), headers=HEADERS)
    answers = [client.get(ORDERS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["X-Rate-Limit-Time-Reset-Ms"] == "500"
    assert "Retry-After" not in answers[-1].headers
    seconds[0] = 0.5
    assert client.get(ORDERS).headers["X-Rate-Limit-Requests-Left"] == "1"


@pytest.mark.parametrize(
    ("params", "headers", "status"),
    [
        ({"limit": 251}, {}, 400),
        ({"since": "x"}, {}, 400),
        ({"sort": "total"}, {}, 400),
        ({"min_date_modified": "Soon"}, {}, 400),
        ({}, {"X-Auth-Token": "wrong"}, 401),
        ({}, {"Accept": "*/*"}, 406),
    ],
)
def test_bigcommerce_refuses(params: dict[str, Any], headers: dict[str, str], status: int) -> None:
    client = open_client(bigcommerce(SHOP), headers=HEADERS | headers)
    assert client.get(ORDERS, params=params).status_code == status


def test_bigcommerce_reads_mails_and_iso_times() -> None:
    client = open_client(bigcommerce(SHOP), headers=HEADERS)
    for text in (f"{NEWEST:%a, %d %b %Y %H:%M:%S} +0000", f"{NEWEST:%Y-%m-%dT%H:%M:%SZ}"):
        assert len(client.get(ORDERS, params={"min_date_modified": text}).json()) == 1


# Square


class Search:
    """Asks Square's sample."""

    def __init__(self, shop: Shop = SHOP) -> None:
        self.client = open_client(square(shop), headers={"Authorization": "Bearer sample"})

    def ask(self, **body: object) -> httpx.Response:
        return self.client.post("/v2/orders/search", json={"location_ids": LOCATIONS[:10]} | body)


def updated(start: str, end: str, field: str = "UPDATED_AT") -> dict[str, Any]:
    filters = {"date_time_filter": {"updated_at": {"start_at": start, "end_at": end}}}
    return {"filter": filters, "sort": {"sort_field": field, "sort_order": "ASC"}}


def test_square_goes_on_by_a_cursor_of_the_same_query_and_leaves_out_what_is_empty() -> None:
    search = Search()
    query = updated("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    first = search.ask(limit=200, query=query).json()
    second = search.ask(limit=200, query=query, cursor=first["cursor"]).json()
    assert len(first["orders"]) == 200
    assert "cursor" not in second
    other = search.ask(limit=200, query=updated("2025-01-01T00:00:00Z", "2025-12-01T00:00:00Z"), cursor=first["cursor"])
    assert other.json()["errors"][0]["code"] == "INVALID_CURSOR"
    assert search.ask(query=updated("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")).json() == {}


def test_square_includes_both_ends_and_sorts_the_newest_first_unless_told() -> None:
    exact = f"{NEWEST:%Y-%m-%dT%H:%M:%SZ}"
    search = Search(Shop({order.number: order for order in SHOP.list_orders() if order.updated_at == NEWEST}))
    found = [search.ask(location_ids=[name], query=updated(exact, exact)).json() for name in LOCATIONS]
    assert sum(len(answer.get("orders", [])) for answer in found) == 2  # an order and its return
    newest_first = Search().ask(limit=5).json()["orders"]
    assert [o["created_at"] for o in newest_first] == sorted([o["created_at"] for o in newest_first], reverse=True)


@pytest.mark.parametrize(
    "body",
    [
        {"location_ids": []},
        {"location_ids": LOCATIONS[:11]},
        {"limit": 1001},
        {"until": "x"},
        {"query": updated("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", field="CREATED_AT")},
        {"query": updated("soon", "later")},
        {"query": {"filter": {"source_filter": {}}}},
    ],
)
def test_square_refuses_bodies(body: dict[str, Any]) -> None:
    assert Search().ask(**body).status_code == 400


def test_square_lists_its_locations_to_whom_it_knows() -> None:
    search = Search()
    listed = search.client.get("/v2/locations").json()["locations"]
    assert [location["id"] for location in listed] == list(LOCATIONS)
    assert search.client.get("/v2/locations", headers={"Authorization": "Bearer no"}).status_code == 401
    assert search.client.get("/v2/customers").status_code == 404


# Amazon

SEARCH_ORDERS = "/orders/2026-01-01/orders"
MARKETPLACE = {"marketplaceIds": "ATVPDKIKX0DER"}
WINDOW = {"lastUpdatedAfter": "2025-01-01T00:00:00Z", "lastUpdatedBefore": "2025-12-01T00:00:00Z"} | MARKETPLACE
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ask_amazon(params: dict[str, Any], **options: Any) -> httpx.Response:
    client = open_client(amazon(SHOP, now=lambda: NOW, **options))
    token = client.post("/auth/o2/token", data={"grant_type": "refresh_token", **CREDENTIALS}).json()["access_token"]
    return client.get(SEARCH_ORDERS, params=params, headers={"x-amz-access-token": token})


def test_amazon_shows_money_and_status_only_where_they_are_asked_for() -> None:
    bare = ask_amazon(WINDOW)
    assert not {"proceeds", "fulfillment"} & bare.json()["orders"][0].keys()
    asked = ask_amazon(WINDOW | {"includedData": "PROCEEDS,FULFILLMENT", "maxResultsPerPage": "5"})
    assert {"proceeds", "fulfillment"} <= asked.json()["orders"][0].keys()
    assert asked.headers["x-amzn-RateLimit-Limit"] == "50.0"
    token = asked.json()["pagination"]["nextToken"]
    rest = ask_amazon(WINDOW | {"maxResultsPerPage": "100", "paginationToken": token})
    assert "pagination" not in rest.json()


@pytest.mark.parametrize(
    "params",
    [
        MARKETPLACE,
        WINDOW | {"createdAfter": "2025-01-01T00:00:00Z"},
        WINDOW | {"lastUpdatedBefore": "2025-12-31T23:59:00Z"},
        WINDOW | {"lastUpdatedBefore": "2024-01-01T00:00:00Z"},
        WINDOW | {"lastUpdatedAfter": "2025-01-01T00:00:00"},
        WINDOW | {"maxResultsPerPage": "101"},
        WINDOW | {"includedData": "MONEY"},
        WINDOW | {"marketplaceIds": ",".join(["A"] * 51)},
        WINDOW | {"paginationToken": "x"},
        WINDOW | {"since": "x"},
    ],
)
def test_amazon_refuses_parameters(params: dict[str, str]) -> None:
    answer = ask_amazon(params)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


def test_amazon_refuses_expired_and_unknown_tokens_with_403() -> None:
    assert ask_amazon(WINDOW, token_uses=0).status_code == 403
    client = open_client(amazon(SHOP))
    assert client.get(SEARCH_ORDERS, params=WINDOW).status_code == 403
    assert client.post("/auth/o2/token", data={"grant_type": "refresh_token"}).status_code == 400


# Faults, and all of them


def test_faults_are_drawn_from_the_seed_and_never_hit_twice_in_a_row() -> None:
    faults = RandomFaults(0.3, seed=7)
    hit = [number for number in range(1, 1000) if faults.find(number)]
    assert hit == [number for number in range(1, 1000) if RandomFaults(0.3, seed=7).find(number)]
    assert hit != [number for number in range(1, 1000) if RandomFaults(0.3, seed=8).find(number)]
    assert 180 < len(hit) < 280
    assert all(later - earlier > 1 for earlier, later in pairwise(hit))
    assert RandomFaults(0.0).find(1) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_can_be_served_and_says_what_to_set(shape: str) -> None:
    assert list_settings(shape, "http://test")
    client = open_client(shape_server(shape, SHOP), [*list_faults(shape)[:1]])
    assert client.get("/nothing-here").status_code in {401, 403, 404}


def test_there_are_no_other_shapes() -> None:
    with pytest.raises(ValueError, match="no shape etsy"):
        shape_server("etsy", SHOP)
    assert list_settings("generic", "") == {}
    assert list_faults("generic") == ()


def test_a_fault_may_spare_other_paths() -> None:
    client = open_client(magento(SHOP), [Fault(every=1, status=401, within="orders")])
    given = {"username": "admin", "password": "admin123"}
    assert client.post("/rest/all/V1/integration/admin/token", json=given).status_code == 200
    headers = {"Authorization": "Bearer sample"}
    assert client.get("/rest/all/V1/orders", params=criteria(1), headers=headers).status_code == 401
