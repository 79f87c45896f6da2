-- (order_id, sku) is the grain: a key that comes twice counts its revenue twice.
SELECT dt, order_id, sku, count(*) AS occurrences
FROM fact_order
GROUP BY dt, order_id, sku
HAVING count(*) > 1;
