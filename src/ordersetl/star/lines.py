"""Items and refunds as the payload has them, brought to the grain of the facts, and an order's values shared."""

import polars as pl

from ordersetl.star.frames import CHARGE_SCHEMA, LINE_SCHEMA, REFUND_SCHEMA
from ordersetl.star.shares import share

__all__ = ["merge_lines", "merge_refunds"]

_MONEY = LINE_SCHEMA["net_amount"]
_SUMMED = ("qty", "line_amount", "discount", "tax")


def merge_lines(orders: pl.DataFrame, items: pl.DataFrame, refunds: pl.DataFrame) -> pl.DataFrame:
    """Bring items to the grain (order version, SKU), and give each row its share of what its order says.

    ``line_amount`` is the sum of qty x price, each product rounded half-even to four digits, as Polars multiplies
    decimals, or of the items' totals where they have such; ``item_price`` is the exact average over the priced items,
    sum(qty x price) / sum(qty), rounded half-even, a total standing for its product: where an SKU has one priced item,
    or one price, it is that price. All else is a :func:`share` of the order's value:

    * ``net_amount`` of its amount, by ``line_amount``, or by ``qty`` where all are 0 or null;
    * ``discount_amount`` and ``tax_amount`` of its discount and tax, or where it has none of the sum of its items' own,
      by these own values, or as its amount where they are absent or all 0;
    * ``shipping_amount`` of its shipping, as its amount;
    * ``refunded_amount``: what refunds say of the SKU, and a share by ``net_amount`` of all that they do not name, or
      that names an SKU which the order does not have.

    Args:
        orders: ORDER_SCHEMA and CHARGE_SCHEMA, each ``pos`` once; one that leaves has no items.
        items: ITEM_SCHEMA, each of a quantity above 0; every ``pos`` is one of ``orders``.
        refunds: REFUND_SCHEMA of the same orders.

    Returns:
        LINE_SCHEMA, sorted by (pos, sku), no null but in ``item_price``, ``line_amount``, the three charges and
        ``product_name``.
    """
    lines = _merge_items(items)
    charged = orders.select("pos", "dt", "order_amount", *CHARGE_SCHEMA)
    lines = lines.join(charged, on="pos", how="left", maintain_order="left")
    weights = [_units(lines["line_amount"]).fill_null(0), _units(lines["qty"])]
    pos = lines["pos"]
    net = share(_units(lines["order_amount"]), weights, pos)
    shares = {
        "net_amount": net,
        "discount_amount": _share_charge(lines, "discount", weights),
        "tax_amount": _share_charge(lines, "tax", weights),
        "shipping_amount": share(_units(lines["order_shipping"]), weights, pos),
    }
    refunded: pl.Expr | pl.Series = pl.lit(0).cast(_MONEY)
    if refunds.height:
        refunded = _money(_share_refunds(lines.select("pos", "sku"), refunds, [net, *weights]))
    given = {name: _money(units) for name, units in shares.items() if units.null_count() < len(units)}
    return _complete(lines.with_columns(refunded.alias("refunded_amount"), **given))


def merge_refunds(orders: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Bring parts of refunds to the grain (order version, refund, SKU).

    Amounts and quantities are summed, ``refunded_at`` is the latest. Where SKUs are named with more than the refund
    comes to (a fee was kept, a discount is not taken off), what it comes to is a :func:`share` of each, by these
    amounts. The row without SKU, of what a refund does not name, is left out where it is 0 and the refund names
    something.

    Args:
        orders: ORDER_SCHEMA, each ``pos`` once.
        parts: REFUND_ITEM_SCHEMA; every ``pos`` is one of ``orders``.

    Returns:
        REFUND_SCHEMA, sorted by (pos, refund_id, sku), nulls first.
    """
    if parts.is_empty():
        return pl.DataFrame(schema=REFUND_SCHEMA)
    rows = parts.group_by("pos", "refund_id", "sku").agg(
        _sum_or_null("qty").alias("qty"),
        pl.col("refund_amount").sum().cast(_MONEY),
        pl.col("refunded_at").max(),
    )
    rows = _limit_to_refunds(rows).with_columns(
        refunded_at=pl.col("refunded_at").max().over("pos", "refund_id"),
        names=pl.col("sku").is_not_null().any().over("pos", "refund_id"),
    )
    says_nothing = pl.col("sku").is_null() & pl.col("names") & (pl.col("refund_amount") == 0) & pl.col("qty").is_null()
    of_order = orders.select("pos", "dt", "order_id", "currency")
    return (
        rows.filter(~says_nothing)
        .join(of_order, on="pos", how="left")
        .select(*REFUND_SCHEMA)
        .sort("pos", "refund_id", "sku", nulls_last=False)
    )


def _limit_to_refunds(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of refunds, what is named of each at most what it comes to: so no rest is negative."""
    key = ["pos", "refund_id"]
    rest = pl.col("refund_amount")
    over = rows.filter(pl.col("sku").is_null() & (rest < 0)).select(*key, over=rest)
    if over.is_empty():
        return rows
    rows = rows.sort(*key, "sku", nulls_last=False).join(over, on=key, how="left", maintain_order="left")
    is_named = pl.col("sku").is_not_null() & pl.col("over").is_not_null()
    at = rows.select(is_named.arg_true()).to_series()
    named = rows[at]
    weights, refund = _units(named["refund_amount"]).cast(pl.Int128), named.select(pl.struct(key).rle_id()).to_series()
    total = named.select((rest.sum() + pl.col("over").first()).over(*key)).to_series()
    shares = _money(share(_units(total).cast(pl.Int128), [weights], refund))
    limited = rows["refund_amount"].scatter(at, shares)
    is_rest = pl.col("sku").is_null() & pl.col("over").is_not_null()
    amount = pl.when(is_rest).then(pl.lit(0).cast(_MONEY)).otherwise(limited)
    return rows.with_columns(refund_amount=amount).drop("over")


def _merge_items(items: pl.DataFrame) -> pl.DataFrame:
    """One row per (pos, sku), sorted so: sums, the average price, and the last name that is given.

    Of ``discount``, ``tax`` and the name there is no column where no item has any: each takes time.
    """
    has_total, price = pl.col("total").is_not_null(), pl.col("price")
    amount = (pl.col("qty") * price).cast(_MONEY)
    if items["total"].null_count() < items.height:
        amount = pl.coalesce("total", (pl.col("qty") * pl.when(~has_total).then(price)).cast(_MONEY))
        price = pl.when(has_total).then(_divide(_worth(), _qty())).otherwise(price)
    optional = ("discount", "tax", "name")
    absent = [name for name in optional if items[name].null_count() == items.height]
    priced = (
        items.drop(absent)
        .rename({"name": "product_name"}, strict=False)
        .with_columns(line_amount=amount, item_price=price)
        .sort("pos", "sku", maintain_order=True)
    )
    first = pl.col("pos").ne_missing(pl.col("pos").shift(1)) | pl.col("sku").ne_missing(pl.col("sku").shift(1))
    marked = priced.with_columns(first=first)
    lines = marked.filter("first")
    if lines.height == marked.height:
        return lines
    repeated = marked.with_columns(row=pl.col("first").cum_sum() - 1).filter(
        ~(pl.col("first") & pl.col("first").shift(-1, fill_value=True))
    )
    merged = repeated.group_by("row").agg(
        *(_sum_or_null(name).alias(name) for name in _SUMMED if name not in absent),
        *([] if "name" in absent else [pl.col("product_name").drop_nulls().last()]),
        item_price=_average_price(),
    )
    return lines.with_columns(lines[name].scatter(merged["row"], merged[name]) for name in merged.columns[1:])


def _complete(lines: pl.DataFrame) -> pl.DataFrame:
    """LINE_SCHEMA, null where there is no column."""
    there = {*lines.columns}
    return lines.select(name if name in there else pl.lit(None, kind).alias(name) for name, kind in LINE_SCHEMA.items())


def _sum_or_null(column: str) -> pl.Expr:
    """Sum of what is not null; null where nothing is."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).cast(_MONEY)


def _average_price() -> pl.Expr:
    """Sum of qty x price over the sum of qty, both over what has a price, half-even; null where nothing has one.

    N = sum(qty x price) stays below 10^38: each product is below 10^22, and so are as many of them as a chunk can hold.
    """
    is_priced = pl.col("price").is_not_null() | pl.col("total").is_not_null()
    return _divide(_worth().filter(is_priced).sum(), pl.when(is_priced.any()).then(_qty().filter(is_priced).sum()))


def _qty() -> pl.Expr:
    """Quantities in 10^-4, as integers."""
    return pl.col("qty").to_physical().cast(pl.Int128)


def _worth() -> pl.Expr:
    """What items come to in 10^-8, exact, as integers: their total, or qty x price; null without either."""
    total, price = (pl.col(name).to_physical().cast(pl.Int128) for name in ("total", "price"))
    return pl.coalesce(total * 10_000, _qty() * price)


def _divide(worth: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """A price: N in 10^-8 over D in 10^-4 is N // D in 10^-4, rounded half-even."""
    price = worth // qty
    over = 2 * (worth - price * qty)
    rounded = price + ((over > qty) | ((over == qty) & (price % 2 == 1))).cast(pl.Int128)
    return (rounded.cast(pl.Decimal(38, 4)) / pl.lit(10_000)).cast(_MONEY)


def _share_charge(lines: pl.DataFrame, name: str, weights: list[pl.Series]) -> pl.Series:
    """Shares of an order's discount or tax, in units: ``order_<name>``, or where that is null its items' own."""
    value = _units(lines[f"order_{name}"])
    if name not in lines.columns:
        return share(value, weights, lines["pos"])
    own = _units(lines[name])
    given = own.is_not_null()
    shares = share(value, [own.fill_null(0), *weights], lines["pos"])
    of_items = value.is_null() & lines["pos"].is_in(lines["pos"].filter(given).unique().implode())
    return own.fill_null(0).zip_with(of_items, shares)


def _share_refunds(lines: pl.DataFrame, refunds: pl.DataFrame, weights: list[pl.Series]) -> pl.Series:
    """What was refunded of each line (pos, sku), in units; 0 where nothing was."""
    refunded = pl.repeat(0, n=lines.height, dtype=pl.Int128, eager=True)
    rows = lines["pos"].is_in(refunds["pos"].unique().implode()).arg_true()
    if rows.is_empty():
        return refunded
    by_sku = refunds.group_by("pos", "sku").agg(named=pl.col("refund_amount").sum().to_physical())
    per_order = refunds.group_by("pos").agg(total=pl.col("refund_amount").sum().to_physical())
    of_refunds = (
        lines[rows]
        .join(by_sku, on=["pos", "sku"], how="left", maintain_order="left")
        .join(per_order, on="pos", how="left", maintain_order="left")
    )
    named = of_refunds["named"].cast(pl.Int128).fill_null(0)
    rest = (
        of_refunds.with_columns(named=named)
        .select(pl.col("total").cast(pl.Int128) - pl.col("named").sum().over("pos"))
        .to_series()
    )
    shares = share(rest, [weight.gather(rows) for weight in weights], of_refunds["pos"])
    return refunded.scatter(rows, named + shares)


def _units(money: pl.Series) -> pl.Series:
    """A DECIMAL(18,4) as an integer of 0.0001, Int128."""
    return money.to_physical()


def _money(units: pl.Series) -> pl.Series:
    """Units of 0.0001 as DECIMAL(18,4)."""
    return (units.cast(pl.Decimal(38, 4)) / 10_000).cast(_MONEY)
