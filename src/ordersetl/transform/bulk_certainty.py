"""What the text of a record must show before it is believed what DuckDB read of it."""

from collections.abc import Collection

import polars as pl

from ordersetl.source.nested import MAX_DEPTH
from ordersetl.transform.fields import CHARGE_FIELDS, METADATA_FIELDS, ORDER_FIELDS, USER_FIELDS

__all__ = ["is_certain"]

_USUAL = (*ORDER_FIELDS, *METADATA_FIELDS)
_ONCE = tuple(name for name in _USUAL if name not in {"amount", "created_at"})  # which refunds have too
_RARE_ONCE = ("shipping", "cancelled_at", "has_user", *USER_FIELDS)
_RARE_KEYS = (*CHARGE_FIELDS, *USER_FIELDS, "user_name")
_COUNTS = (
    *("has_user", "has_refunds", "refund_id", "refund_items", "refund_amount", "refund_sku", "refund_qty"),
    *("discounts", "taxes", "names"),
)
"""What a record has or counts; no column where none of its kind was read."""
_READ_AS = {
    **{name: name for name in CHARGE_FIELDS},
    "name": "names",
    "user": "has_user",
    "refunds": "has_refunds",
}
"""A column that is there where an optional name was read."""
_OPTIONAL = (("discount", "discount", "discounts"), ("tax", "tax", "taxes"), ("name", "user_name", "names"))
"""Keys that an order and its items may have, and where the values that were read of either are."""
_WHOLE_ID = r'"(?:order_id|user_id|sku)": ?[0-9]{1,15}\.0[,}\s]'
"""An id that was written as a whole number with ``.0``, as a double without a fraction is."""
_NOT_DELETED = r'"deleted": ?(?:false|null)\s*[,}]'


def is_certain(fitting: pl.DataFrame, items: pl.DataFrame) -> pl.Series:
    """Whether each record is an order that means what DuckDB read of it.

    No key is repeated, it is not deleted, ids are as read, and it is not too deep.

    Args:
        fitting: records with their texts and the fields that were read, each text without escaped ASCII.
        items: their items, and perhaps those of others.
    """
    deleted = fitting["record"].str.contains('"deleted"', literal=True).arg_true()
    once = (
        _has_each_key_once(fitting, deleted) & _has_no_blank_before_a_colon(fitting) & _is_not_deleted(fitting, deleted)
    )
    return once & _has_ids_as_read(fitting, items) & _is_flat(fitting)


def _has_each_key_once(fitting: pl.DataFrame, deleted: pl.Series) -> pl.Series:
    r"""Whether every key of a record that fits is accounted for by one value that was read, so that none is repeated.

    The text has no escaped ASCII: a key ends with ``":``, which little else holds (blanks in between are another
    rule's). A value that was read accounts for one key. Where that leaves keys over, a usual key without a value
    accounts for one more where the text holds it with null. Where keys are still left over, they may be unknown ones:
    then each known key is counted by itself.
    """
    there = [name for name in fitting.columns if name in _COUNTS]
    values = fitting.select(
        *(pl.col(name).is_not_null().cast(pl.UInt32) for name in (*_USUAL, *_RARE_KEYS) if name in fitting.columns),
        *_count_deleted(fitting["record"], deleted),
        pl.col("has_metadata", "price_keys", *there).cast(pl.UInt32).fill_null(0),
        *([pl.col("refund_id").fill_null(0).alias("refund_times")] if "refund_id" in there else []),
        items=pl.col("items").cast(pl.UInt32) * 2 + 1,
    )
    found = values.select(pl.sum_horizontal(pl.all())).to_series()
    keys = fitting["record"].str.count_matches('":')  # quicker than as a literal
    accounted = (keys == found).fill_null(value=False)
    left_over = (~accounted).arg_true()
    if left_over.is_empty():
        return accounted
    rest = fitting.select("record", *_USUAL)[left_over]  # all columns would take longer than the rest of this
    nulls = rest.select(_is_null(rest["record"], name, rest[name].is_null()) for name in _USUAL)
    accounted = accounted.scatter(
        left_over,
        keys.gather(left_over) == found.gather(left_over) + nulls.select(pl.sum_horizontal(pl.all())).to_series(),
    )
    left_over = (~accounted).arg_true()
    if left_over.is_empty():
        return accounted
    return accounted.scatter(left_over, fitting[left_over].select(_counts_each_key({*fitting.columns})).to_series())


def _counts_each_key(columns: Collection[str]) -> pl.Expr:
    """Whether no known key is repeated, as far as counting each in the text can tell.

    An optional name for which none of the ``columns`` was read must not occur at all.
    """

    def count(name: str, value: str = "") -> pl.Expr:
        return pl.col("record").str.count_matches(f'"{name}":{value}', literal=not value)

    def read(name: str) -> pl.Expr:
        return pl.col(name).fill_null(0) if name in columns else pl.lit(0, pl.UInt32)

    def has(name: str) -> pl.Expr:
        there = pl.col(name).is_not_null() if name in columns else pl.lit(value=False)
        return there.cast(pl.UInt32)

    unread = [name for name, column in _READ_AS.items() if column not in columns]
    expected = {
        **dict.fromkeys(unread, pl.lit(0)),
        "created_at": 1 + read("refund_id"),
        "refund_id": read("refund_id"),
        "items": 1 + read("refund_items"),
        "sku": pl.col("items") + read("refund_sku"),
        "qty": pl.col("items") + read("refund_qty"),
        "price": pl.col("price_keys"),
    }
    conditions = [count(name) == number for name, number in expected.items()]
    rare = ["user" if name == "has_user" else name for name in _RARE_ONCE if name in columns]
    conditions += [count(name) <= 1 for name in (*_ONCE, "metadata", *rare)]
    if "refunds" not in unread:
        listed, absent = pl.col("has_refunds"), count("refunds") == count("refunds", r"\s*null")  # else it is no list
        conditions.append((listed & (count("refunds") == 1)) | (~listed & absent))
    no_refund = read("refund_id") == 0
    conditions.append(
        (count("amount") == has("order_amount") + read("refund_amount")) | (no_refund & (count("amount") <= 1))
    )
    for name, of_order, of_items in _OPTIONAL:
        if name not in unread:
            values, nulls = has(of_order) + read(of_items), count(name, r"\s*null")
            # absent or null, wherever we would read it
            without = (values == 0) & ((nulls == 0) | (nulls == count(name)))
            conditions.append((count(name) == values) | without)
    return pl.all_horizontal(conditions).fill_null(value=False)


def _count_deleted(records: pl.Series, having: pl.Series) -> list[pl.Series]:
    """How often each record has the key ``deleted``, which DuckDB did not read; nothing where none has it."""
    if having.is_empty():
        return []
    none = pl.repeat(0, n=len(records), dtype=pl.UInt32, eager=True)
    return [none.scatter(having, records.gather(having).str.count_matches('"deleted":', literal=True)).alias("deleted")]


def _is_not_deleted(fitting: pl.DataFrame, having: pl.Series) -> pl.Series:
    """Whether ``deleted`` is absent from a record that fits, or there once as false or null."""
    certain = pl.repeat(value=True, n=fitting.height, eager=True)
    if having.is_empty():
        return certain
    records = fitting["record"].gather(having)
    once = records.str.count_matches('"deleted":', literal=True) == 1
    return certain.scatter(having, once & records.str.contains(_NOT_DELETED))


def _has_no_blank_before_a_colon(fitting: pl.DataFrame) -> pl.Series:
    """Whether every key of a record that fits is followed by its colon at once, so that counting ``":`` counts keys."""
    certain = pl.repeat(value=True, n=fitting.height, eager=True)
    blanks = fitting["record"].str.contains(r"[ \t\r\n]:").arg_true()
    if blanks.is_empty():
        return certain
    return certain.scatter(blanks, ~fitting["record"].gather(blanks).str.contains(r'"[ \t\r\n]+:'))


def _has_ids_as_read(fitting: pl.DataFrame, items: pl.DataFrame) -> pl.Series:
    """Whether each id of a record that fits that DuckDB wrote as ``501.0`` is written so in its text.

    A double may have lost a fraction, or a negative exponent, that the payload has.
    """
    floats = [fitting.filter(f"{name}_is_float").select("pos") for name in ("order_id", "user_id")]
    per_order = pl.concat([*floats, items.filter("sku_is_float").select("pos")]).group_by("pos").len("floats")
    if per_order.is_empty():
        return pl.repeat(value=True, n=fitting.height, eager=True)
    counted = fitting.select("pos", "record").join(per_order, on="pos", how="left", maintain_order="left")
    in_text = pl.col("record").str.count_matches(_WHOLE_ID) == pl.col("floats")
    return counted.select(pl.col("floats").is_null() | in_text).to_series()


def _is_flat(fitting: pl.DataFrame) -> pl.Series:
    """Whether a record that fits cannot be nested too deeply; only a long one is looked into."""
    flat = pl.repeat(value=True, n=fitting.height, eager=True)
    long = (fitting["record"].str.len_bytes() > 2 * MAX_DEPTH).arg_true()
    if long.is_empty():
        return flat
    return flat.scatter(long, fitting["record"].gather(long).str.count_matches(r"[\[{]") <= MAX_DEPTH)


def _is_null(records: pl.Series, name: str, without: pl.Series) -> pl.Series:
    """Whether a key is in each record with null, 1 or 0; looked for only where it has no value."""
    none = pl.repeat(0, n=len(records), dtype=pl.UInt32, eager=True).alias(name)
    rows = without.arg_true()
    if rows.is_empty():
        return none
    blank = " " if '": ' in records[0] else ""  # a guess: where it is wrong, keys are left over
    with_null = records.gather(rows).str.contains(f'"{name}":{blank}null', literal=True)
    return none.scatter(rows, with_null.cast(pl.UInt32))
