-- dt is the day of created_at_order in the output's time zone: a row on another day is missed by whoever filters on dt.
SELECT fact_order.dt, fact_order.order_id, fact_order.sku, fact_order.created_at_order
FROM fact_order
ANTI JOIN shop_span
    ON shop_span.dt = fact_order.dt
    AND fact_order.created_at_order >= shop_span.since AND fact_order.created_at_order < shop_span.until;
