"""Descriptions as files: what is refused names the file, the line, the key, and what would be right."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ordersetl.errors import ConfigError
from ordersetl.source.description.lines import find_line
from ordersetl.source.description.loading import list_builtin, load_builtin, load_description, parse_description
from ordersetl.source.mapping.record import map_record
from ordersetl.transform.mapped_fields import find_bulk_mapping
from ordersetl.transform.used_paths import list_used

SHOP = """\
name = "shop"
title = "A shop"
records = "data.orders"

[variables.region]
description = "where the shop is"
default = "eu"
pattern = "eu|us"

[request]
path = "/${region}/orders"
params = { since = "${since}", until = "${until}", limit = "${page_size}", after = "${cursor}" }

[window]
precision = "1s"

[paging]
kind = "cursor"
next = "data.next"
end = "null"

[mapping.order]
order_id = "id"
created_at = "created"

[mapping.items]
list = "lines"
sku = "sku"
qty = "count"
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_description(text.encode(), "shop.toml")
    assert caught.value.exit_code == 2
    assert "docs/sources.md" in caught.value.hint
    return caught.value.message


def replaced(old: str, new: str) -> str:
    assert SHOP.count(old) == 1
    return SHOP.replace(old, new)


def test_a_description_is_read_with_its_digest() -> None:
    loaded = load_description(SHOP.encode(), "shop.toml")
    assert loaded.description.name == "shop"
    assert loaded.description.records.path == ("data", "orders")
    assert loaded.sha256 == load_description(SHOP.encode(), "elsewhere.toml").sha256
    assert loaded.body == SHOP.encode()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'next = "data.next"',
            'nxt = "data.next"',
            "shop.toml, line 19: paging.nxt: there is no such key; did you mean paging.next?",
        ),
        (
            'title = "A shop"',
            'title = "A shop"\nnext = "x"',
            "shop.toml, line 3: next: there is no such key; it is a key of paging",
        ),
        (
            'kind = "cursor"',
            'kind = "cursors"',
            "line 18: paging.kind: must be one of cursor, link, next_url, page, offset, none; did you mean cursor?",
        ),
        ('sku = "sku"\n', "", "shop.toml, line 26: mapping.items.sku: is required"),
        ('qty = "count"', 'qty = "a b"', "line 29: mapping.items.qty: is not a JMESPath expression: 'a b'"),
        ('qty = "count"', 'qty = "lenght(@)"', "there is no function lenght()"),
        ('qty = "count"', 'qty = "length(@, count)"', "length() takes one argument, and has 2"),
        ('precision = "1s"', 'precision = "1"', "line 15: window.precision: must name its unit, as in 90s, 10m"),
        ('"data.orders"', '"data.orders[]"', "line 3: records: must be a path, such as data.orders"),
        ("${region}", "${regoin}", "line 11: request.path: there is no value ${regoin} here; did you mean region?"),
        ("${region}", "${Region}", "line 11: request.path: '${Region}' is not ${name}"),
        ("${cursor}", "${page}", "request.params: there is no value ${page} here"),
        (
            ', after = "${cursor}"',
            "",
            'line 18: paging.kind: "cursor" goes on by ${cursor}, and no parameter, header or body has it',
        ),
        ("eu|us", "(eu", "line 8: variables.region.pattern: is not a regular expression"),
        ('default = "eu"', 'default = "asia"', "variables.region.default: 'asia' does not match"),
        (
            'default = "eu"',
            'default = ""\nper_request = 1',
            "line 7: variables.region.default: is a list without a value",
        ),
        ("variables.region]", "variables.cursor]", "variables.cursor: cursor is a value of its own"),
        ('next = "data.next"\n', "", 'line 17: paging: kind = "cursor" needs next: cursor or URL of the next page'),
        (
            'end = "null"\n',
            "",
            'line 17: paging: kind = "cursor" needs end, what proves that there is no more: "has_more"',
        ),
        (
            'kind = "cursor"\nnext = "data.next"\nend = "null"',
            'kind = "page"\nend = "short_page"',
            "paging.end: a short page proves no end of orders",
        ),
        ('end = "null"', 'end = "total"', 'paging: end = "total" needs total or total_header'),
        ('end = "null"', 'end = "null"\nfirst = 0', 'paging: first is for kind = "page" or "offset"'),
        ('since = "${since}", ', "", "line 14: window: the request has no ${since}"),
        ('precision = "1s"', 'precision = "0s"', "window: precision must be more than 0s"),
        ('precision = "1s"', 'precision = "1s"\nformat = "%Y-%m-%d"', "window: format = '%Y-%m-%d' writes times"),
        ('precision = "1s"', 'precision = "1s"\nformat = "%s"', "%s counts seconds in the zone of the machine"),
        (
            'precision = "1s"',
            'precision = "1s"\nformat = "%Y-%m-%d %I:%M:%S"',
            "writes times that are half a day apart alike",
        ),
        ('precision = "1s"', 'precision = "1s"\nformat = "%m-%d %H:%M:%S"', "that are a year apart alike"),
        ('precision = "1s"', 'precision = "1s"\nformat = "%Y-%m-%d %H:%m:%S"', "that are a minute apart alike"),
        ('precision = "1s"', 'precision = "1s"\nformat = "%Y-%M-%d %H:%M:%S"', "that are a month apart alike"),
        ('precision = "1s"', 'precision = "1s"\nformat = "%Y-%m-%d %M:%M:%S"', "that are an hour apart alike"),
        ('precision = "1s"', 'precision = "0.001s"\nformat = "%Y-%m-%d %H:%M:%f"', "that are a second apart alike"),
        ('precision = "1s"', 'precision = "7d"\nformat = "%Y-%m-%d"', ""),
        ('precision = "1s"', 'precision = "1s"\nformat = "%Y-%m-%d %I:%M:%S %p"', ""),
        ('precision = "1s"', 'precision = "1s"\nformat = "epoc"', "or one as %Y-%m-%dT%H:%M:%SZ; did you mean epoch?"),
        (SHOP[SHOP.index("[mapping.order]") :], "", "records: without [mapping] the answers are the generic API's"),
        ('precision = "1s"', 'precision = "1s"\nmax_span = "1s"', "max_span must be longer than precision"),
        (
            'precision = "1s"',
            'precision = "1s"\nmin_age = "2d"\nreaches_back = "1d"',
            "min_age must be shorter than reaches_back",
        ),
        ('precision = "1s"', 'precision = "1s"\nearliest = "long ago"', "earliest is not a time: 'long ago'"),
        (
            'precision = "1s"',
            'precision = "1s"\nearliest = "0001-01-01T00:00:00Z"\nbounded = true\nsince_inclusive = false',
            "line 14: window: earliest must be a time from 1970 (in UTC) to now, and it is 0001-01-01T00:00:00Z",
        ),
        (
            'precision = "1s"',
            'precision = "1s"\nearliest = "2199-01-01"',
            "earliest must be a time from 1970 (in UTC) to now",
        ),
        (
            'precision = "1s"',
            'precision = "1s"\nearliest = "1970-01-01T00:00:00+02:00"',
            "earliest must be a time from 1970 (in UTC) to now, and it is 1970-01-01T00:00:00+02:00",
        ),
        ('precision = "1s"', 'precision = "1s"\nearliest = "1969-12-31T23:00:00-02:00"', ""),
        (
            'precision = "1s"',
            'precision = "1s"\nearliest = "0001-01-01T00:00:00+14:00"',
            "earliest must be a time from",
        ),
        (
            'precision = "1s"',
            'precision = "1s"\nearliest = "9999-12-31T23:59:59-14:00"',
            "earliest must be a time from",
        ),
        ('precision = "1s"', 'precision = "1s"\nzone = "Europe/Berln"', "did you mean Europe/Berlin?"),
        ('until = "${until}", ', "", ""),
        ('until = "${until}", ', 'both = "${since}..${until}", ', "request.params.both: names ${since} and ${until}"),
        ('since = "${since}", until = "${until}", ', 'both = "${since}..${until}", ', "set window.bounded = true"),
        ('order_id = "id"', 'order_id = "`1`"', "mapping.order.order_id: '`1`' reads nothing of the record"),
        ('created_at = "created"', "created_at = \"'2025'\"", "mapping.order.created_at: \"'2025'\" reads nothing of"),
        ('order_id = "id"', 'order_id = "[0] || @"', ""),
        ("[paging]", '[auth]\nkind = "header"\nname = ""\n[paging]', "line 19: auth.name: '' is not the name of a"),
        (
            "[paging]",
            '[auth]\nkind = "header"\nname = "X Key"\n[paging]',
            "auth.name: 'X Key' is not the name of a header",
        ),
        ("[paging]", '[auth]\nkind = "query"\nname = " "\n[paging]', "auth.name: must be the name of a parameter"),
        ("[window]", 'headers = { "X\\n" = "1" }\n[window]', "is not the name of a header, such as X-Key"),
        (
            'title = "A shop"',
            'title = "A"\napi_url = "shop.test"',
            "line 3: api_url: must be an http:// or https:// URL",
        ),
        (
            'title = "A shop"',
            'title = "A"\napi_url = "https://shop.test/api?key=1"',
            "line 3: api_url: must hold no query",
        ),
        ("[window]", 'headers = { X = "a\\nb" }\n[window]', "request.headers.X: 'a\\nb' must be printable ASCII"),
        ("[window]", 'headers = { X = "é" }\n[window]', "request.headers.X: 'é' must be printable ASCII"),
        ("[window]", 'headers = { X-Version = "${region} 1" }\n[window]', ""),
        ("[mapping.order]", '[mapping]\nabsolute = ["discount"]\n[mapping.order]', "mapping.absolute: names discount"),
        (
            "[mapping.order]",
            '[mapping]\nmoney = "minor"\n[mapping.order]',
            'line 23: mapping.money: "minor" needs order.currency',
        ),
        ("[mapping.order]", '[mapping]\nmoney = "minor"\n[mapping.order]\ncurrency = "\'EUR\'"', ""),
        ("[mapping.order]", '[mapping]\ntimes = "epoch_msec"\n[mapping.order]', "did you mean epoch_ms?"),
        ("[mapping.order]", '[mapping]\ntimes = "%Y-%m-%d %Z"\n[mapping.order]', "%Z reads names of zones"),
        ("[mapping.order]", '[mapping]\nzone = "${region}"\n[mapping.order]', "must be the IANA name of a time zone"),
        ('path = "/', 'path = "', "request.path: must begin with /, as it follows --api-url: /"),
        ('records = "data.orders"', 'records = "@"', "paging.next: a bare list has nothing beside its orders"),
        ("[mapping.order]", '[mapping]\ntimes = "%Q"\n[mapping.order]', "is not a format that times can be read by"),
        ("[paging]", '[auth]\nkind = "header"\n[paging]', 'auth: kind = "header" needs name: of the header'),
        ("[paging]", '[auth]\nkind = "bearer"\nname = "X"\n[paging]', 'name is for kind = "header" or "query"'),
        (
            "[paging]",
            '[throttle]\nkind = "cost"\nrequested = "a"\navailable = "b"\n[paging]',
            'throttle: kind = "cost" needs restored',
        ),
        ("[paging]", '[throttle]\nkind = "rate"\n[paging]', 'throttle: kind = "rate" needs rate_header'),
        (
            "[paging]",
            '[throttle]\nkind = "rate"\nrate_header = "X"\nleft_header = "Y"\n[paging]',
            'left_header has no meaning with kind = "rate", which reads rate_header',
        ),
    ],
)
def test_what_cannot_be_is_refused_by_file_line_key_and_what_would_be_right(old: str, new: str, message: str) -> None:
    text = replaced(old, new)
    if message:
        assert message in refusal(text)
    else:
        parse_description(text.encode(), "shop.toml")


def test_windows_without_an_end_cannot_be_split() -> None:
    text = replaced('until = "${until}", ', "").replace('precision = "1s"', 'precision = "1s"\nmax_span = "7d"')
    assert "window.max_span: needs an end, and the request has no ${until}" in refusal(text)
    for key in ("max_objects", "max_pages"):
        text = replaced('until = "${until}", ', "").replace('end = "null"', f'end = "null"\n{key} = 10')
        assert f"paging.{key}: needs windows that can be split, and the request has no ${{until}}" in refusal(text)


CALL = """
[[calls]]
name = "lines"
path = "/orders/${id}/lines"
with = { id = "id" }
records = "@"
into = "lines"
"""
OTHER_CALL = CALL.replace('name = "lines"', 'name = "others"')


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", ""),
        ("${id}", "${order}", "calls.1.path: there is no value ${order} here"),
        ("/orders/${id}/lines", "/lines", "calls.1.with: nothing of it is used"),
        (
            'with = { id = "id" }',
            'with = { region = "id" }',
            "calls.1.with.region: ${region} is something else already",
        ),
        ('path = "/orders', 'path = "orders', "calls.1.path: must begin with /"),
        (
            'into = "lines"',
            'into = "lines"\nparams = { page = "${page}" }\npaging = { kind = "page", end = "short_page" }',
            "calls.1.paging.page_size: must say how many elements are asked for",
        ),
        (
            '/orders/${id}/lines"\nwith = { id = "id" }',
            '/orders/lines"',
            "calls.1.with: must name a value of the record that the request has: each order would be asked for the",
        ),
        ('into = "lines"', 'into = "line"', "calls.1.into: the mapping looks at nothing in line: the answers would be"),
        ('into = "lines"', 'into = "lines.sku.parts"', ""),
        ('into = "lines"', 'each = "lines"\ninto = "sku"', ""),
        ('into = "lines"', 'each = "lines[]"\ninto = "sku"', "calls.1.each: must be the path of a list in the record"),
        (
            'into = "lines"',
            'each = "lines"\ninto = "lines"',
            "calls.1.into: the mapping looks at nothing in lines.lines",
        ),
        (
            'into = "lines"',
            f'into = "lines"{OTHER_CALL}',
            "calls.2.into: the call lines answers there already: set append",
        ),
        ('into = "lines"', f'into = "lines"{OTHER_CALL}append = true', ""),
        ('into = "lines"', f'into = "lines"{OTHER_CALL}keep_unanswered = true', ""),
        (
            'into = "lines"',
            'into = "lines"\nappend = true\nkeep_unanswered = true',
            "calls.1.keep_unanswered: append keeps all of the list that is there already: set one of the two",
        ),
        ('into = "lines"', 'into = "lines"\nappend = true\nkeep_unanswered = false', ""),
        ('into = "lines"', f'into = "lines"\nwhen = "a"{OTHER_CALL}when = "b"', ""),
        ('into = "lines"', f'into = "lines"\nwhen = "a"{OTHER_CALL}', "calls.2.into: the call lines answers there"),
        ('into = "lines"', 'into = "lines[]"', "calls.1.into: 'lines[]' is not a path of names and points"),
        ('records = "@"', 'records = "a[]"', "calls.1.records: must be a path"),
        ('into = "lines"', 'into = "lines"\nrequired_right = "read"', "calls.1.required_right: 'read' is none of"),
        ('into = "lines"', f'into = "lines"{CALL}', "calls: two are named lines"),
        (
            'into = "lines"',
            'into = "lines"\nbody = { a = "b" }',
            'calls.1.body: a GET has no body: set method = "POST"',
        ),
    ],
)
def test_calls_are_checked_likewise(old: str, new: str, message: str) -> None:
    text = SHOP + (CALL.replace(old, new) if old else CALL)
    if message:
        assert message in refusal(text)
    else:
        assert parse_description(text.encode(), "shop.toml").calls[0].values.keys() == {"id"}


CURSOR = 'kind = "cursor", next = "next", end = "null"'


@pytest.mark.parametrize("key", ["max_objects = 3", "max_pages = 1", 'cursor_lifetime = "1h"'])
def test_keys_that_speak_of_the_paging_of_orders_are_refused_in_calls(key: str) -> None:
    text = f'{SHOP}{CALL}params = {{ after = "${{cursor}}" }}\npaging = {{ {CURSOR}, {key} }}\n'
    name = key.partition(" ")[0]
    assert f"calls.1.paging.{name}: is for the paging of orders alone: leave it out" in refusal(text)
    assert parse_description(text.encode(), "shop.toml", kept=True).calls


def test_the_size_of_a_page_of_orders_stands_with_its_request() -> None:
    text = replaced('end = "null"', 'end = "null"\npage_size = 50')
    assert "paging.page_size: is for calls: request.page_size says how many orders are asked for" in refusal(text)
    assert parse_description(text.encode(), "shop.toml", kept=True).paging.page_size == 50


def test_the_base_of_a_source_is_read_as_that_of_the_settings_is() -> None:
    text = replaced('title = "A shop"', 'title = "A shop"\napi_url = " https://shop.test/api/ "')
    assert parse_description(text.encode(), "shop.toml").api_url == "https://shop.test/api"


@pytest.mark.parametrize(("right", "is_apart"), [("read_all", True), ("read", False)])
def test_calls_for_other_rights_may_answer_in_one_place(right: str, *, is_apart: bool) -> None:
    calls = f'{CALL}required_right = "read"\n{OTHER_CALL}required_right = "{right}"\n'
    wanted = ", ".join(f'{{ name = "{name}", without = "Less is seen." }}' for name in ("read", "read_all"))
    text = f'{SHOP}{calls}[rights]\npath = "/rights"\nnames = "@"\nwanted = [{wanted}]\n'
    if is_apart:
        assert len(parse_description(text.encode(), "shop.toml").calls) == 2
    else:
        assert "calls.2.into: the call lines answers there already" in refusal(text)


def test_many_problems_are_counted() -> None:
    message = refusal("\n".join(f"key_{number} = 1" for number in range(10)) + "\n" + SHOP)
    assert message.count("; shop.toml") == 5
    assert message.endswith("and 4 more")


def test_a_description_may_begin_with_a_byte_order_mark() -> None:
    assert parse_description(b"\xef\xbb\xbf" + SHOP.encode(), "shop.toml") == parse_description(
        SHOP.encode(), "shop.toml"
    )


@pytest.mark.parametrize("body", [b"name = ", b"\xff", b"[" * 100_000])
def test_what_is_not_toml_is_refused(body: bytes) -> None:
    with pytest.raises(ConfigError, match=r"shop\.toml is not valid TOML"):
        parse_description(body, "shop.toml")


AUTH = """
[auth]
kind = "bearer"
[auth.token]
grant = "request"
url = "${api_url}/token"
body = { username = "${api_user}", password = "${api_password}" }
token = "@"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", ""),
        ("${api_password}", "${password}", "auth.token.body: there is no value ${password} here; did you mean"),
        ("${api_url}/token", "ftp://shop.test/token", "auth.token.url: must be an http:// or https:// URL"),
        ("${api_url}/token", "https://me:pw@shop.test/token", "auth.token.url: must hold no user or password"),
        ("${api_url}/token", "https://shop.test/token", ""),
        ("${api_url}/token", "${api_password}", "auth.token.url: there is no value ${api_password} here"),
        (AUTH[AUTH.index("body") : AUTH.index("token =")], "", 'grant = "request" needs body'),
        ('token = "@"', 'token = "@"\nrenew_on = [200]', "renew_on holds 200"),
        ('kind = "bearer"', 'kind = "basic"', 'token is for kind = "bearer", "header" or "query"'),
    ],
)
def test_a_token_gets_credentials_in_its_body_alone(old: str, new: str, message: str) -> None:
    text = SHOP + (AUTH.replace(old, new) if old else AUTH)
    if message:
        assert message in refusal(text)
    else:
        assert parse_description(text.encode(), "shop.toml").auth.token


@pytest.mark.parametrize(
    "times",
    [
        "%d.%M.%Y",
        "%Y-%M-%d %H:%S",
        "%Y-%m-%d %I:%M:%S",
        "%d.%m. %H:%M",
        "%Y-%m",
        "%Y-%m-%d %M:%S",
        "%H:%M",
        "%Y-%m-%d %f",
    ],
)
def test_a_format_of_times_reads_what_it_writes(times: str) -> None:
    message = refusal(replaced("[mapping.order]", f'[mapping]\ntimes = "{times}"\n[mapping.order]'))
    assert "shop.toml, line 23: mapping.times: writes 2025-03-04 17:06:07 as" in message
    assert "needs year, month (%m) and day, and the hour" in message


@pytest.mark.parametrize(
    "times",
    ["%d.%m.%Y", "%Y-%m-%d %I:%M %p", "%d %b %y %H:%M:%S", "%Y-%j %H", "%G-W%V-%u", "%Y%m%d%H%M%S%f", "%d/%m/%Y %X %z"],
)
def test_a_format_of_times_may_be_coarse(times: str) -> None:
    text = replaced("[mapping.order]", f'[mapping]\ntimes = "{times}"\n[mapping.order]')
    assert parse_description(text.encode(), "shop.toml").mapping


@pytest.mark.parametrize(
    "expression",
    [
        "[" * 480 + "a" + "]" * 480,
        "(" * 9999,
        "!" * 99 + "a",
        "a." * 99 + "a",
        "a" + "[0]" * 99,
        f"`{'[' * 9999}{']' * 9999}`",
    ],
)
def test_an_expression_that_is_nested_too_deeply_is_refused(expression: str) -> None:
    message = refusal(replaced('qty = "count"', f'qty = "{expression}"'))
    assert "shop.toml, line 29: mapping.items.qty: is nested too deeply: 50 parts" in message


def test_a_slice_of_a_list_can_be_read() -> None:
    mapping = parse_description(replaced('list = "lines"', 'list = "lines[:2]"').encode(), "shop.toml").mapping
    assert mapping is not None
    lines = [{"sku": sku} for sku in "ABC"]
    assert [line["sku"] for line in map_record(mapping, {"lines": lines})["items"]] == ["A", "B"]


@pytest.mark.parametrize("expression", ["a" + "[*]" * 45, "b || (" * 40 + "a" + ")" * 40, "a." * 40 + "a"])
def test_an_expression_of_many_parts_can_be_read_by_both_paths(expression: str) -> None:
    mapping = parse_description(replaced('qty = "count"', f'qty = "{expression}"').encode(), "shop.toml").mapping
    assert mapping is not None
    assert list_used(mapping).members
    find_bulk_mapping(mapping)  # there may be none, which is no error
    assert map_record(mapping, {"lines": [{"a": 1}]})["items"]


def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    body = f'method = "POST"\n[request.body.{".".join("a" * 3000)}]\nx = 1\n\n[window]'
    assert "request.body: is nested too deeply: 100 tables" in refusal(replaced("\n[window]", body))


@pytest.mark.parametrize("times", ["%Y-%m-%dT%H:%m:%S", "%d.%m.%Y %d"])
def test_a_format_of_times_has_each_part_once(times: str) -> None:
    message = refusal(replaced("[mapping.order]", f'[mapping]\ntimes = "{times}"\n[mapping.order]'))
    assert "line 23: mapping.times: is not a format that times can be read by: a part of the time is in it" in message


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("a",), 1),
        (("b", "c"), 6),
        (("list", 0, "x"), 8),
        (("list", 1, "x"), 10),
        (("list", 1, "y"), 9),
        (("list", 1, "sub", "z"), 12),
        (("dotted", "key"), 2),
        (("nowhere",), None),
        (("fake",), None),
    ],
)
def test_lines_of_keys(location: tuple[Any, ...], line: int | None) -> None:
    text = '"a" = 1\ndotted.key = """\nfake = 1\n"""\n[b]\nc = 1\n[[list]]\nx = 1\n[[list]]\nx = 2\n[list.sub]\nz = 1\n'
    assert tomllib.loads(text)["list"][1]["sub"]["z"] == 1
    assert find_line(text, location) == line


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_a_file_it_is_read_or_refused_by_name(data: st.DataObject) -> None:
    lines = load_builtin(data.draw(st.sampled_from(list_builtin()))).body.decode().splitlines()
    values = ['"${since}"', '"a.b"', '"a || b"', "1", "true", '""', '"%Y"', '"2d"', "[]", "{}", '"@"', "-5", "nan"]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["remove", "repeat", "change", "move"])):
            case "remove":
                del lines[at]
            case "repeat":
                lines.insert(at, lines[at])
            case "change":
                lines[at] = f"{lines[at].partition('=')[0]}= {data.draw(st.sampled_from(values))}"
            case "move":
                lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
    text = "\n".join(lines)
    try:
        parse_description(text.encode(), "mine.toml")
    except ConfigError as error:
        assert error.message.startswith("mine.toml")  # noqa: PT017 - either way is right
