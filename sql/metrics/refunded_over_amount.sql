-- One row per order that more was refunded of than it came to.
SELECT dt, order_id
FROM fact_order
WHERE refunded_amount <> 0
GROUP BY dt, order_id
HAVING sum(refunded_amount) > max(order_amount)
