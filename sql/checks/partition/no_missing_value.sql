-- These columns are NOT NULL in both DDLs: a null would make the load into a warehouse fail as a whole.
SELECT
    dt, order_id, sku, qty, order_amount, net_amount, created_at_order, updated_at_order, refunded_amount, cancelled
FROM fact_order
WHERE
    order_id IS NULL OR sku IS NULL OR qty IS NULL OR order_amount IS NULL OR net_amount IS NULL
    OR created_at_order IS NULL OR updated_at_order IS NULL OR refunded_amount IS NULL OR cancelled IS NULL;
