-- These columns are NOT NULL in both DDLs: a null would make the load into a warehouse fail as a whole.
SELECT dt, order_id, refund_id, sku, refund_amount, refunded_at
FROM fact_refund
WHERE order_id IS NULL OR refund_id IS NULL OR refund_amount IS NULL OR refunded_at IS NULL;
