-- dt is the UTC date of created_at_order: a row on another day is missed by whoever filters on dt.
SELECT dt, order_id, sku, created_at_order
FROM fact_order
WHERE dt IS DISTINCT FROM CAST(created_at_order AS DATE);
