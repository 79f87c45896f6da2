-- (order_id, refund_id, sku) is the grain of refunds: a key that comes twice takes its amount off twice.
SELECT dt, order_id, refund_id, sku, count(*) AS occurrences
FROM fact_refund
GROUP BY dt, order_id, refund_id, sku
HAVING count(*) > 1;
