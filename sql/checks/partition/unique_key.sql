-- (order_id, sku) is the grain: a key that comes twice counts its revenue twice.
SELECT dt, order_id, sku, count(*) AS occurrences
FROM fact_order
WHERE hash(dt, order_id, sku) IN ( -- cheap to group by, and next to none of them comes twice
    SELECT key_hash
    FROM (SELECT hash(dt, order_id, sku) AS key_hash FROM fact_order)
    GROUP BY key_hash
    HAVING count(*) > 1
)
GROUP BY dt, order_id, sku
HAVING count(*) > 1;
