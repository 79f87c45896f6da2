"""Records that are hard to read, and what the models, the bulk path, the SQL and the reference must make of them alike.

Each is the text of a record, and the reason why it is rejected; None where it is accepted, or where its order leaves.
"""

__all__ = ["BASE", "CASES", "LINE", "order", "refund", "refunded"]

LINE = '{"sku":"A","qty":2,"price":1.25}'
BASE = '"order_id":"o-1","created_at":"2025-08-20T10:00:00Z"'
_TIME = BASE.partition(",")[2]
_LONG = "u" * 256


def order(more: str = '"amount":2.5', items: str = f"[{LINE}]") -> str:
    """An order with these members and items."""
    return f'{{{BASE},{more},"items":{items}}}'


def _id(order_id: str, more: str = '"amount":1') -> str:
    return f'{{"order_id":{order_id},{_TIME},{more},"items":[{LINE}]}}'


def _created(time: str) -> str:
    return f'{{"order_id":"o-1","created_at":{time},"amount":2.5,"items":[{LINE}]}}'


def _line(line: str) -> str:
    return order(items=f"[{LINE},{line}]")


def _alone(line: str, amount: str = '"amount":1') -> str:
    return order(amount, f"[{line}]")


def _refund(members: str, more: str = "") -> str:
    return order(f'"amount":2.5,"refunds":[{{{members}}}{more}]')


_DEAR = '{"sku":"A","qty":1,"price":60000000000000}'


def refund(more: str = '"note":null') -> str:
    """A refund with these members."""
    return f'{{"refund_id":"r-1","created_at":"2025-08-25T10:00:00Z","amount":4,{more}}}'


def refunded(*refunds: str) -> str:
    """An order with these refunds."""
    return order(f'"amount":2.5,"refunds":[{",".join(refunds)}]')


_R = '"refund_id":"r-1","created_at":"2025-08-22T10:00:00Z","amount":1'
_R_DEAR = _R.replace('"amount":1', '"amount":6e13')

_REJECTED = {
    "not_an_object": {
        "null": "null",
        "a number": "5",
        "a text": '"order"',
        "a list": f"[{order()}]",
        "a boolean": "true",
    },
    "missing_order_id": {
        "no id": f'{{{_TIME},"items":[{LINE}]}}',
        "a null id": _id("null"),
        "a blank id": _id('" \\u0000 "'),
        "a boolean id": _id("true"),
        "a fraction": _id("1.5"),
        "a list as id": _id('["o-1"]'),
        "an id that a double would make whole": _id("501.00000000000000001"),
        "an id that a double would make 0": _id("1e-400"),
        "deleted, without an id": '{"deleted":true,"updated_at":"2025-08-20"}',
    },
    "invalid_order_id": {
        "half a pair in the id": _id('"o-\\ud83e"'),
        "an absurd id": _id("1e99999999"),
        "an id beyond all measure": _id("1e99999999999999999999"),
        "a long id": _id(f'"{"é" * 128}"'),
        "a long number": _id("1e255"),
    },
    "missing_created_at": {
        "no creation": f'{{"order_id":"o-1","items":[{LINE}]}}',
        "a null creation": _created("null"),
        "deleted, without a time": '{"order_id":5,"deleted":true}',
        "deleted, with null times": '{"order_id":5,"deleted":true,"created_at":null,"updated_at":null}',
    },
    "invalid_created_at": {
        "an empty time": _created('""'),
        "a number as time": _created("1755684000"),
        "a number as text": _created('"20250820"'),
        "an offset of a day": _created('"2025-08-20T10:00:00+24:00"'),
        "an offset of a day in minutes": _created('"2025-08-20T10:00:00-23:60"'),
        "before 1970": _created('"1969-12-31T23:59:59Z"'),
        "after 2199": _created('"2200-01-01"'),
        "deleted, with a bad creation": '{"order_id":5,"deleted":true,"created_at":"soon","updated_at":"2025-08-21"}',
    },
    "invalid_updated_at": {
        "soon": order('"amount":1,"updated_at":"soon"'),
        "a boolean time": order('"amount":1,"updated_at":false'),
        "leap day": order('"amount":1,"updated_at":"2023-02-29T00:00:00Z"'),
        "deleted, soon": '{"order_id":5,"deleted":true,"updated_at":"soon"}',
    },
    "invalid_user_id": {
        "a long user": order(f'"amount":1,"user_id":"{_LONG}"'),
        "half a pair in the user": order('"amount":1,"user_id":"\\ude00"'),
        "emptied, with a long user": order(f'"amount":0,"user_id":"{_LONG}"', "[]"),
    },
    "invalid_amount": {
        "a comma": order('"amount":"12,50"'),
        "a boolean amount": order('"amount":true'),
        "an empty amount": order('"amount":""'),
        "below 0": order('"amount":-1'),
        "10^14": order('"amount":100000000000000'),
        "value, then nonsense": order('"amount":1,"amount":"x"'),
        "lines that sum to too much": order(items=f"[{_DEAR},{_DEAR}]"),
    },
    "no_items": {
        "no items": f'{{{BASE},"amount":1}}',
        "null items": order(items="null"),
        "items, then null": order(f'"items":[{LINE}],"amount":1', "null"),
        "emptied with an amount": order('"amount":1', "[]"),
        "nothing of it, and an amount": _alone('{"sku":"A","qty":0}'),
        "a bad discount after no lines": order('"amount":1,"discount":-1', "[]"),
    },
    "invalid_items": {"an object of items": order(items=LINE), "text of items": order(items='""')},
    "no_valid_items": {
        "no valid line": order(items="[{},5]"),
        "nothing left but a bad line": order('"amount":0', '[{"sku":"A","qty":0},{"sku":"B","qty":-1}]'),
        "item list nested": order(items=f"[[{LINE}]]"),
        "half a pair in the only product": _alone('{"sku":"\\ud83e","qty":1,"price":1}'),
    },
    "missing_amount": {
        "no amount and no price": _alone('{"sku":"A","qty":1}', '"amount":null'),
        "a bad discount after a missing amount": order('"discount":-1', '[{"sku":"A","qty":1}]'),
    },
    "invalid_discount": {
        "a discount below 0": order('"amount":1,"discount":-0.01'),
        "a discount in words": order('"amount":1,"discount":"half"'),
        "a bad discount before a bad tax": order('"amount":1,"tax":-1,"discount":-1'),
        "emptied with a bad discount": order('"amount":0,"discount":-1', "[]"),
        "discounts of lines beyond all": order(
            items='[{"sku":"A","qty":1,"price":1,"discount":5e13},{"sku":"B","qty":1,"price":1,"discount":"5e13"}]'
        ),
    },
    "invalid_tax": {
        "a boolean tax": order('"amount":1,"tax":false'),
        "a tax of 10^14": order('"amount":1,"tax":1e14'),
        "discount comes first, then tax": order('"amount":1,"tax":[],"shipping":-1,"refunds":5'),
        "a bad tax before bad refunds": order('"amount":1,"refunds":5,"tax":-1'),
        "taxes of lines beyond all, and the order's": order(
            '"tax":1', '[{"sku":"A","qty":1,"price":1,"tax":5e13},{"sku":"B","qty":1,"price":1,"tax":5e13}]'
        ),
    },
    "invalid_shipping": {"shipping as object": order('"amount":1,"shipping":{}')},
    "invalid_refund": {
        "refunds are no list": order('"amount":1,"refunds":{}'),
        "a refund is no object": _refund(_R, ",5"),
        "a refund without id": _refund(_R.replace('"r-1"', "null")),
        "a refund without time": _refund('"refund_id":"r-1","amount":1'),
        "a refund without amount": _refund('"refund_id":"r-1","created_at":"2025-08-22"'),
        "a refund below 0": _refund(_R.replace('"amount":1', '"amount":-1')),
        "refund items are no list": _refund(f'{_R},"items":{{}}'),
        "a refund item is no object": _refund(f'{_R},"items":["A"]'),
        "a refund item without amount": _refund(f'{_R},"items":[{{"sku":"A"}}]'),
        "a refund item of too many": _refund(f'{_R},"items":[{{"sku":"A","qty":1e9,"amount":1}}]'),
        "a refund item with a long SKU": _refund(f'{_R},"items":[{{"sku":"{_LONG}","amount":1}}]'),
        "refunds that sum to too much": _refund(_R_DEAR, f",{{{_R_DEAR}}}"),
        "bad refunds before a bad time": order('"amount":1,"cancelled_at":5,"refunds":5'),
        "a refund by a broken name": refunded(refund('"items":[{"sku":"\\ud83e","amount":1}]')),
        "refunds beyond all": refunded(refund('"amount":5e13'), refund('"amount":5e13')),
        "refunds beyond all by name": refunded(
            refund('"items":[{"sku":"A","amount":5e13}]'), refund('"items":[{"sku":"B","amount":5e13}]')
        ),
    },
    "invalid_cancelled_at": {"never": order('"amount":1,"cancelled_at":"never"')},
}
"""By reason; the names are of the cases."""

_ACCEPTED = {
    "value, then null": order('"amount":2.5,"amount":null'),
    "null, then value": order('"amount":null,"amount":7'),
    "value, then another": order('"amount":1,"amount":2'),
    "escaped key": order('"amount":1,"amoun\\u0074":2'),
    "escaped key alone": order('"\\u0061mount":2'),
    "key in capitals": order('"AMOUNT":2,"Order_Id":5'),
    "items twice": order('"items":[],"amount":1'),
    "metadata twice": order('"metadata":{"source":"a"},"metadata":null,"amount":1'),
    "metadata no object": order('"metadata":[{"source":"a"}],"amount":1'),
    "source twice": order('"amount":1,"metadata":{"source":"a","source":"b"}'),
    "source at the top": order('"amount":1,"source":"x","metadata":{"promo":"b"}'),
    "null elsewhere": order('"note":{"amount":null},"amount":1'),
    "key hidden in text": order('"amount":1,"amount":2,"note":"\\"amount\\":"'),
    "price, then null, and none": order(items='[{"sku":"A","qty":1,"price":1,"price":null},{"sku":"B","qty":1}]'),
    "null, then price": _alone('{"sku":"A","qty":1,"price":null,"price":1}', '"amount":2.5'),
    "quantity twice": _alone('{"sku":"A","qty":1,"qty":5,"price":1}', '"amount":2.5'),
    "sku nested": _alone('{"sku":"A","qty":1,"price":1,"kit":{"sku":"B"}}', '"amount":2.5'),
    "colon in text": order('"amount":1,"status":":x","currency":"eur"'),
    "item no object": order(items=f'[{LINE},5,null,[],"x"]'),
    "a record within a record": order(f'"amount":1,"copy":{order()}'),
    "lone surrogate": order('"amount":1,"status":"\\ud83e"'),
    "surrogate pair": order('"amount":1,"status":"\\ud83e\\udd8a"'),
    "record separator": order('"amount":1,"status":"a\x1eb"'),
    "long text": order(f'"amount":1,"status":"{"é" * 200}"'),
    "grows in upper case": order(f'"amount":1,"currency":"{"ŉ" * 120}"'),
    "text of a number": order('"amount":"1.00005","status":5,"currency":1.5'),
    "an odd offset": order('"amount":1,"updated_at":"2025-08-20T10:00:00+05:99"'),
    "blank before a colon": order('"amount" :1,"amount":2.5'),
    "tab before a colon": order('"amount":2.5,"amount"\t:1'),
    "colon after a blank in text": order('"amount":2.5,"note":"x : y"'),
    "deleted": order('"amount":1,"deleted":true'),
    "deleted, whatever else it holds": f'{{{BASE},"deleted":true,"amount":"x","user_id":"{_LONG}","items":5}}',
    "deleted, by time alone": '{"order_id":5.0,"deleted":true,"created_at":null,"updated_at":"2025-08-20"}',
    "not deleted": order('"amount":1,"deleted":false'),
    "deleted is null": order('"amount":1,"deleted":null'),
    "deleted is text": order('"amount":1,"deleted":"true"'),
    "deleted is a number": order('"amount":1,"deleted":1'),
    "null, then deleted": order('"amount":1,"deleted":null,"deleted":true'),
    "deleted, then null": order('"amount":1,"deleted":true,"deleted":null'),
    "not deleted, then deleted": order('"amount":1,"deleted" :false,"deleted":true'),
    "deleted elsewhere": order('"amount":1,"note":{"deleted":true}'),
    "emptied": order('"amount":0', "[]"),
    "emptied without an amount": order('"user_id":null', "[]"),
    "nothing left": order('"amount":0', '[{"sku":"A","qty":0,"price":5},{"sku":"B","qty":"0.00001"}]'),
    "a line of nothing": _line('{"sku":"B","qty":0}'),
    "a line of nothing without a price": order('"user_id":5', f'[{LINE},{{"sku":"B","qty":0}}]'),
    "ids as floats": f'{{"order_id":501.0,{_TIME},"user_id":7.0,"items":[{{"sku":5.0,"qty":1,"price":1}}]}}',
    "ids with a blank": f'{{"order_id": 501.0, {_TIME},"user_id": 7.0,"items":[{{"sku": 5.0,"qty":0}}]}}',
    "a float as id": _id("1.0"),
    "an id with more zeros": _id("501.00"),
    "an id with an exponent": _id("5.01e2"),
    "an id with a large exponent": _id("1e20"),
    "an id of 0": _id("-0.0"),
    "an id of 15 digits": _id("123456789012345.0"),
    "an id of 16 digits": _id("9007199254740993.0"),
    "an id beyond all measure of 0": _id("0e99999999999999999999"),
    "a float as text": _id('"501.0"'),
    "a replacement in the id": _id('"a\\ufffd"'),
    "a noncharacter in the id": _id('"a\uffff"'),
    "a label as float": order('"amount":1,"status":5.0,"currency":1e3,"metadata":{"source":7.5,"promo":-0.0}'),
    "far in the future": order('"amount":1,"updated_at":"2062-01-01T00:00:00Z"'),
    "created in the future": f'{{"order_id":"o-2","created_at":"2062-01-01T00:00:00Z","amount":1,"items":[{LINE}]}}',
    "deleted in the future": '{"order_id":"o-2","updated_at":"2062-01-01T00:00:00Z","deleted":true}',
    "ages ago": order('"amount":1,"updated_at":"1990-01-01"'),
    "deep": order(f'"amount":1,"note":{"[" * 400}{"]" * 400}'),
    **{
        f"a line that is rejected: {name}": _line(line)
        for name, line in {
            "no object": "5",
            "no SKU": '{"qty":1,"price":1}',
            "a blank SKU": '{"sku":"\\t","qty":1}',
            "an object as SKU": '{"sku":{},"qty":1}',
            "a long SKU": f'{{"sku":"{_LONG}","qty":1}}',
            "half a pair in the SKU": '{"sku":"A\\ud83e","qty":1}',
            "no quantity": '{"sku":"B"}',
            "a quantity below 0": '{"sku":"B","qty":-1}',
            "too large a quantity": '{"sku":"B","qty":1000000000}',
            "a boolean quantity": '{"sku":"B","qty":true}',
            "a price below 0": '{"sku":"B","qty":1,"price":-1}',
            "a price in words": '{"sku":"B","qty":1,"price":"free"}',
            "a product of 10^14": '{"sku":"B","qty":2,"price":50000000000000}',
            "of nothing, without SKU": '{"qty":0}',
            "a discount below 0": '{"sku":"B","qty":1,"price":1,"discount":-1}',
            "a tax in words": '{"sku":"B","qty":1,"price":1,"tax":"incl."}',
        }.items()
    },
    "half a pair in the product": order('"amount":1', f'[{LINE},{{"sku":"\\ud83e","qty":1,"price":1}}]'),
    "charges": order('"amount":1,"discount":0.5,"tax":"0.19","shipping":4,"cancelled_at":"2025-08-21","status":"x"'),
    "charges are null": order('"amount":1,"discount":null,"tax":null,"shipping":null,"cancelled_at":null'),
    "charges of lines": order(items='[{"sku":"A","qty":1,"price":2,"discount":1,"tax":0.38,"name":"Mug"}]'),
    "charges of lines are null": order(items='[{"sku":"A","qty":1,"price":2,"discount":null,"tax":null,"name":null}]'),
    "deleted with a bad discount": order('"deleted":true,"discount":-1', "[]"),
    "a line with a bad discount": order(items=f'[{LINE},{{"sku":"B","qty":1,"price":1,"tax":-1,"discount":"x"}}]'),
    "a line with a bad tax": order(items=f'[{LINE},{{"sku":"B","qty":0,"price":1,"tax":-1}}]'),
    "a line with a bad discount and product": order(
        items=f'[{LINE},{{"sku":"B","qty":10,"price":10000000000000,"discount":-1}}]'
    ),
    "discounts of skipped lines beyond all": order(
        items=f'[{LINE},{{"sku":"A","qty":0,"discount":5e13}},{{"sku":"A","qty":0,"discount":5e13}}]'
    ),
    "names of a product": order(
        items='[{"sku":"A","qty":1,"price":1,"name":" "},{"sku":"A","qty":1,"price":1,"name":"b"},'
        '{"sku":"A","qty":1,"price":1,"name":"a"}]'
    ),
    "a user": order('"amount":1,"user_id":"u","user":{"email":" A@x.org ","country":5.0}'),
    "a user who is none": order('"amount":1,"user":"u"'),
    "a user twice": order('"amount":1,"user":{"email":"a"},"user":{"country":"MX"}'),
    "a user with half a pair": order('"amount":1,"user":{"email":"\\ud83e"}'),
    "cancelled by status": order('"amount":1,"status":" CANCELLED "'),
    "no refunds": order('"amount":1,"refunds":[]'),
    "refunds of null": order('"amount":1,"refunds":null'),
    "a refund": refunded(refund()),
    "a refund by name": refunded(refund('"items":[{"sku":"A","qty":1,"amount":2.5},{"sku":"Z","amount":1}]')),
    "a refund of less than its items": refunded(refund('"items":[{"sku":"A","amount":9}]')),
    "a refund of just its items": refunded(refund('"items":[{"sku":"A","amount":4},{"qty":2,"amount":0}]')),
    "a refund of nothing": refunded(refund('"amount":0')),
    "a refund of nothing by name": refunded(refund('"amount":0,"items":[{"sku":"A","amount":0}]')),
    "a refund of nothing without a name": refunded(refund('"amount":0,"items":[{"qty":2,"amount":0}]')),
    "a refund in two": refunded(
        refund('"items":[{"sku":"A","amount":1}]'), refund('"created_at":"2025-09-01T00:30:00+02:00"')
    ),
    "a refund in two forms of its id": refunded(
        refund('"refund_id":5'), refund('"refund_id":"5","created_at":"2025-09-01"')
    ),
    "a refund by what is no name": refunded(refund('"items":[{"sku":true,"amount":1},{"sku":1.5,"amount":1}]')),
    "a refund with items twice": refunded(refund('"items":5,"items":[{"sku":"A","amount":1}]')),
    "a refund of an emptied order": order(f'"amount":0,"refunds":[{refund()}]', "[]"),
    "refunds hidden in a note": order(f'"amount":1,"note":{{"refunds":[{refund()}]}}'),
    "discount twice": order('"amount":2.5,"discount":5,"discount":1'),
    "tax of the order and of a line": order('"tax":3,"amount":2', f'[{LINE[:-1]},"tax":1}}]'),
    "refunds twice": order(f'"amount":2.5,"refunds":5,"refunds":[{{{_R}}}]'),
}

CASES: dict[str, tuple[str, str | None]] = {
    **{name: (text, reason) for reason, cases in _REJECTED.items() for name, text in cases.items()},
    **{name: (text, None) for name, text in _ACCEPTED.items()},
}
