"""What the text of a record must show before it is believed what DuckDB read of it."""

import polars as pl

from ordersetl.source.page import MAX_DEPTH

__all__ = ["is_certain"]

_KEYS = ("order_id", "user_id", "amount", "currency", "created_at", "updated_at", "status", "source", "promo")
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
    rule's). A value that was read accounts for one key; a known key without a value accounts for one more where the
    text holds it with null. Where that leaves keys over, they may be unknown ones: then each known key is counted by
    itself.
    """
    record = pl.col("record")
    known = fitting.select(
        "record",
        *(_is_present(fitting["record"], name, fitting[name].is_not_null()) for name in _KEYS),
        _is_present(fitting["record"], "metadata", fitting["has_metadata"]),
        *_count_deleted(fitting["record"], deleted),
        items=pl.lit(1, pl.UInt32),
        sku=pl.col("items"),
        qty=pl.col("items"),
        price=pl.col("price_keys").cast(pl.UInt32),
    )
    present = known.columns[1:]
    accounted = known.select(
        (record.str.count_matches('":', literal=True) == pl.sum_horizontal(present)).fill_null(value=False)
    ).to_series()
    left_over = (~accounted).arg_true()
    if left_over.is_empty():
        return accounted
    known_keys = (name for name in present if name != "deleted")
    counted = pl.all_horizontal(
        record.str.count_matches(f'"{name}":', literal=True) == pl.col(name) for name in known_keys
    ).fill_null(value=False)
    return accounted.scatter(left_over, known[left_over].select(counted).to_series())


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


def _is_present(records: pl.Series, name: str, has_value: pl.Series) -> pl.Series:
    """How often, 1 or 0, a key is in each record, with null too."""
    without = (~has_value).arg_true()
    if without.is_empty():
        return has_value.cast(pl.UInt32).alias(name)
    blank = " " if '": ' in records[0] else ""  # a guess: where it is wrong, keys are left over
    with_null = records.gather(without).str.contains(f'"{name}":{blank}null', literal=True)
    return has_value.cast(pl.UInt32).scatter(without, with_null.cast(pl.UInt32)).alias(name)
