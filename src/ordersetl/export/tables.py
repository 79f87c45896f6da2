"""What can be exported: each table and view with its order, and the day by which a span of it is cut."""

import msgspec

__all__ = ["EXPORTS", "Export"]


class Export(msgspec.Struct, frozen=True):
    """Rows go by ``order``; ``day`` is the column that a span of days cuts, None where there is none.

    With ``is_partitioned`` that is the partition's, so that no other files need be read.
    """

    order: str
    day: str | None
    is_partitioned: bool = True


EXPORTS = {
    "orders": Export("dt, order_id", "dt"),
    "fact_order": Export("dt, order_id, sku", "dt"),
    "orders_enriched": Export("dt, order_id, sku", "dt"),
    "fact_refund": Export("dt, order_id, refund_id, sku NULLS FIRST", "dt"),
    "refunds": Export("refund_day, order_id, refund_id, sku NULLS FIRST", "refund_day", is_partitioned=False),
    "sales_by_day": Export("day, currency NULLS FIRST", "day", is_partitioned=False),
    "dim_user": Export("user_id", None),
    "dim_product": Export("sku", None),
}
