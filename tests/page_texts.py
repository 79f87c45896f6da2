"""Pages as raw text, good and nasty, to compare the bulk path with the models."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
from hypothesis import strategies as st
from strategies import any_json, encode, odd_text, record_texts

from ordersetl.source.page import Page, split_records

__all__ = ["NUMBERS", "join_page", "page_sequences", "split_texts", "written_records"]

NUMBERS = (
    *("1", "2", "0", "-0", "-1", "0.5", "1.0", "1.00", "10.50", "100", "107.91000000000001", "0.30000000000000004"),
    *("1.00005", "1.00015", "1.000050", "1.0000500000000001", "1.0000500000000000000001", "1.00004999999999999999"),
    *("0.00005", "0.00005000000000000001", "0.00004999999999999999999", "123456.78905", "999999999.99995"),
    *("999999999.99994999999999", "999999999.9999", "1000000000", "1e2", "1E+2", "1e-4", "5e-5", "0.1e1", "1e15"),
    *("12345678901234", "12345678901234.0004", "12345678901234.1", "12345678901234.10004", "99999999999999.99994"),
    *("89999999999999", "90000000000000", "99999999999999", "100000000000000", "9007199254740993", "1e13"),
    *("18446744073709551615", "18446744073709551616", "123456789012345678901234567890", "1e400", "-1e400", "1e-400"),
    *("1e99999999999999999999", "NaN", "Infinity", "-Infinity", "true", "false", "null"),
    *('"12.50"', '"12"', '"007"', '" 1.5 "', '"1e2"', '"+1"', '".5"', '"5."', '"-0"', '"1_0"', '"1.00005"', '""'),
    *(
        '"1.0000500000000000000001"',
        '"1.000050"',
        '"123456789.12345678901234567890"',
        '"NaN"',
        '"\uff11"',
        *('"\uff11"', '"1\u0661"'),
        '"1\\u002e5"',
    ),
    *('"99999999999999.99995"', '"1\\t"', '"\\u00a01"', "[]", "{}", "[1]", '{"qty":1}'),
)
_TEXTS = (
    *(
        '"o-1"',
        '"o-2"',
        '"Ördér"',
        '"\\u00e9"',
        '"caf\\u00E9"',
        '"\\ud83e\\udd8a"',
        '"\\ud83d"',
        '"\\ude00\\ud83d"',
        '"🦊"',
    ),
    *(
        '"a\\/b"',
        '"q\\"q"',
        '"\\"amount\\":"',
        '":x"',
        '"a\\":null"',
        '"a\\\\"',
        '"\\\\u0061"',
        '"\\u0061"',
        '"a\\nb"',
        '"\\n"',
    ),
    *(
        '""',
        '" "',
        '" a "',
        '"\\u00a0a"',
        '"\u2028a"',
        '"a\u2028b"',
        '"a\\u0000"',
        '"\\u0000"',
        '"a\x7f"',
        '"a\tb"',
        '"\x00"',
    ),
    *(
        '"1.0"',
        '"true"',
        '"null"',
        '"{}"',
        '"[1]"',
        "1.0",
        "501.0",
        "501.00000000000000001",
        "5e2",
        "1e-400",
        "-0.0",
        "5",
        "-5",
        "-0",
        "12345678901234567890",
        "true",
        "null",
        "{}",
        "[]",
    ),
    *(
        json.dumps(text, ensure_ascii=False)
        for text in ("x" * 254, "x" * 255, "x" * 256, "é" * 127 + "x", "é" * 128, "ß")
    ),
    *('"' + "\\u00e9" * 128 + '"', '"' + "ß" * 127 + '"'),
    *('"ŉ"', '"eur"', '"USD"', '"\u0301a"', '"a\u0301"', '"\u0345"', '"½"', "1e2", "99999999999999999999999"),
)
_TIMES = (
    *('"2025-08-20T10:00:00Z"', '"2025-08-21T23:59:59Z"', '"2025-08-20T10:00:00"', '"2025-08-20T10:00:00.5Z"'),
    *('"2025-08-20T10:00:00.123456+00:00"', '"2025-08-20T10:00:00+02:00"', '"2025-08-20T10:00:00-00:30"'),
    *(
        '"2025-08-20"',
        '"2025-08-20 10:00:00"',
        '"2025-08-20T10:00"',
        '"2025-02-29T10:00:00Z"',
        '"2024-02-29T10:00:00Z"',
    ),
    *('"2025-08-20T24:00:00Z"', '"2025-08-20T23:59:60Z"', '"2025-08-20t10:00:00z"', '"2025-00-10T10:00:00Z"'),
    *(
        '"1970-01-01T00:00:00Z"',
        '"1971-01-01T00:00:00+14:00"',
        '"2189-12-31T23:59:59.999999-14:59"',
        '"2199-12-31T23:59:59Z"',
    ),
    *(
        '"2025-08-20T10:00:00.1234567Z"',
        '"2025-08-20T10:00:00,5Z"',
        '"2025-08-20T10:00:00+0200"',
        '"2025-08-20T10:00:00+24:00"',
    ),
    *('"2062-01-01T00:00:00Z"', '"2025-08-21T10:00:00.000001Z"'),
    *('"2025-08-20T10:00:00\\u005a"', '" 2025-08-20T10:00:00Z"', '"20250820"', "20250820", "null", '""', "true", "[]"),
    *(
        '"2025-08-20T10:00:00+14:30"',
        '"2025-08-20T10:00:00Z "',
        '"\uff12025-08-20T10:00:00Z"',
        '"2025-08-20T10:00:00.000001"',
    ),
)
_LINE_VALUES = {"sku": _TEXTS, "qty": NUMBERS, "price": NUMBERS}
_LINE_MONEY_VALUES = {"discount": NUMBERS, "tax": NUMBERS, "name": _TEXTS}
_METADATA_VALUES = {"source": _TEXTS, "promo": _TEXTS}
_USER_VALUES = {"email": _TEXTS, "country": _TEXTS}
_REFUND_VALUES = {"refund_id": _TEXTS, "created_at": _TIMES, "amount": NUMBERS}
_REFUND_ITEM_VALUES = {"sku": _TEXTS, "qty": NUMBERS, "amount": NUMBERS}
_MONEY_VALUES = {"discount": NUMBERS, "tax": NUMBERS, "shipping": NUMBERS, "cancelled_at": _TIMES}
_ORDER_VALUES = {
    "order_id": _TEXTS,
    "created_at": _TIMES,
    "updated_at": _TIMES,
    "user_id": _TEXTS,
    "amount": NUMBERS,
    "currency": _TEXTS,
    "status": _TEXTS,
    "deleted": ("true", "true", "false", "null", '"true"', "1", "[]"),
}
_PLAIN = {
    "order_id": '"o-1"',
    "created_at": '"2025-08-20T10:00:00Z"',
    "updated_at": '"2025-08-21T23:59:59Z"',
    "user_id": '"u"',
    "amount": "10.5",
    "currency": '"usd"',
    "status": '"paid"',
    "deleted": "false",
    "sku": '"A"',
    "qty": "2",
    "price": "1.25",
    "source": '"web"',
    "promo": "null",
    "discount": "1.5",
    "tax": "0.19",
    "shipping": '"4.90"',
    "cancelled_at": '"2025-08-22T10:00:00Z"',
    "name": '"Mug"',
    "email": '"a@example.org"',
    "country": '"MX"',
    "refund_id": '"r-1"',
}
_UNKNOWN = ('"note"', '"tags"', '"ORDER_ID"', '"Items"', '"x\\"amount"', '"amount "', '""', '"é"')


@st.composite
def _members(draw: st.DrawFn, values: Mapping[str, Sequence[str]], extra: st.SearchStrategy[str]) -> list[str]:
    """Members of an object: mostly plain ones, some odd, missing, repeated or with a key with escapes."""
    members = []
    usual = ["plain"] * draw(st.sampled_from((4, 30)))
    for name, odd in values.items():
        how = draw(st.sampled_from((*usual, "odd", "odd", "none", "twice", "escaped", "null")))
        value = draw(st.sampled_from(odd)) if how in {"odd", "twice"} else _PLAIN[name]
        key = f'"{name}"'
        if how == "escaped":
            at = draw(st.integers(0, len(name) - 1))
            key = f'"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1 :]}"'
        if how != "none":
            members.append(f"{key}:{'null' if how == 'null' else value}")
        if how in {"twice", "escaped"} and draw(st.booleans()):
            members.append(f'"{name}":{draw(st.sampled_from((_PLAIN[name], "null", *odd[:8])))}')
    if draw(st.integers(0, 3)) == 0:
        members.append(f"{draw(st.sampled_from(_UNKNOWN))}:{draw(extra)}")
    return draw(st.permutations(members)) if draw(st.integers(0, 3)) == 0 else members


def _in_object(members: Sequence[str]) -> str:
    return "{" + ",".join(members) + "}"


@cache
def _anything() -> st.SearchStrategy[str]:
    known = st.sampled_from(('{"sku":"B"}', '{"amount":null}', '[{"price":null}]', '{"items":[]}', '"\\"status\\":"'))
    return known | st.sampled_from((*_TEXTS, *NUMBERS)) | any_json().map(encode)


@cache
@st.composite
def _written_refunds(draw: st.DrawFn) -> str:
    """Text of an order's refunds, or of something in their place."""
    refunds = []
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2)))):
        members = draw(_members(_REFUND_VALUES, _anything()))
        item = _members(_REFUND_ITEM_VALUES, _anything()).map(_in_object)
        for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
            items = draw(st.lists(item, max_size=2))
            wrong = st.sampled_from(("null", "[]", "{}", "5", "[null]", "[[]]"))
            members.append(f'"items":{draw(st.one_of(st.just("[" + ",".join(items) + "]"), wrong))}')
        refunds.append(_in_object(members))
    return draw(st.sampled_from((*[f"[{','.join(refunds)}]"] * 8, "null", "{}", "5", "[null]", "[[]]")))


@cache
@st.composite
def written_records(draw: st.DrawFn) -> str:
    """Text of a record, put together token by token, so that it holds what no encoder writes."""
    has_money = draw(st.booleans())
    members = draw(_members(_ORDER_VALUES | _MONEY_VALUES if has_money else _ORDER_VALUES, _anything()))
    line_values = _LINE_VALUES | _LINE_MONEY_VALUES if has_money else _LINE_VALUES
    line = _members(line_values, _anything()).map(_in_object)
    lines = draw(st.lists(line, min_size=1, max_size=3))
    items = draw(
        st.sampled_from((*[f"[{','.join(lines)}]"] * 12, "[]", "null", "{}", "5", f"[{lines[0]},5]", "[[]]", "[null]"))
    )
    members.insert(draw(st.integers(0, len(members))), f'"items":{items}')
    if draw(st.integers(0, 15)) == 0:
        members.append(f'"items":{draw(st.sampled_from(("[]", "null", "[{}]", f"[{lines[0]}]")))}')
    metadata = _members(_METADATA_VALUES, _anything()).map(_in_object)
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2)))):
        members.append(f'"metadata":{draw(metadata | st.sampled_from(("null", "5", "[]", "{}")))}')
    user = _members(_USER_VALUES, _anything()).map(_in_object)
    for _ in range(draw(st.sampled_from((0, 1, 1, 2))) if has_money else 0):
        members.append(f'"user":{draw(user | st.sampled_from(("null", "5", "[]", "{}")))}')
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2))) if has_money else 0):
        members.append(f'"refunds":{draw(_written_refunds())}')
    return _in_object(members)


def join_page(records: Sequence[str], envelope: str = '{{"orders":{},"next_cursor":null}}', gap: str = "") -> str:
    """Text of a page that holds the records."""
    return envelope.format(f"[{gap}{f'{gap},{gap}'.join(records)}{gap}]")


_ENVELOPES = (
    *(
        '{{"orders":{},"next_cursor":null}}',
        '{{"orders":{},"next_cursor":"c"}}',
        '{{"orders":{},"next_cursor":12345678901234567}}',
    ),
    *(
        "{}",
        " {} \n",
        '{{"orders":[],"orders":{}}}',
        '{{"orders": {},"note":[1,{{"orders":5}}]}}',
        '{{"order\\u0073":{}}}',
    ),
    *(
        '{{"next_cursor":NaN,"orders":{},"next_cursor":null}}',
        '{{"\\ud800":1,"orders":{}}}',
        '{{"x":"\ufffe","orders":{}}}',
    ),
)
_PLAIN_RECORD = (
    '{"order_id":"o-9","created_at":"2025-08-20T10:00:00Z","amount":3,"items":[{"sku":"A","qty":1,"price":3}]}'
)


def _is_strict(text: str) -> bool:
    try:
        msgspec.json.format(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        return False
    return True


@st.composite
def _pages(draw: st.DrawFn) -> bytes:
    record = st.one_of(
        written_records(), written_records(), record_texts(), st.just(_PLAIN_RECORD), odd_text().map(json.dumps)
    )
    records = draw(st.lists(record, max_size=5))
    if draw(st.integers(0, 4)):  # most pages are strict JSON, or the bulk path would rarely be taken
        records = [text for text in records if _is_strict(text)]
    envelope = draw(st.sampled_from((*_ENVELOPES[:4] * 6, *_ENVELOPES)))
    text = join_page(records, envelope, draw(st.sampled_from(("", "", " ", "\n\t "))))
    encoding = draw(st.sampled_from((*["utf-8"] * 8, "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le")))
    body = text.encode(encoding, "surrogatepass")
    if draw(st.integers(0, 20)) == 0:
        body = body.replace(b"o-", draw(st.sampled_from((b"\xff", b"\xed\xa0\x80", b"\xc3"))))
    return body


def page_sequences() -> st.SearchStrategy[list[Page]]:
    """Pages of one batch, of which every one is a list of records for the lenient parser."""
    return st.lists(_pages(), min_size=1, max_size=3).map(
        lambda bodies: [Page(n, body) for n, body in enumerate(bodies, 1)]
    )


def split_texts(page: Page) -> list[bytes] | None:
    """The texts of a page's records; None where only the lenient parser helps."""
    found = split_records(page)
    return None if found is None else list(map(bytes, found))
