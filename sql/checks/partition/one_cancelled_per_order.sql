-- An order is cancelled on all of its rows or on none: half an order would be in net sales.
SELECT dt, order_id, count(*) AS lines, count(*) FILTER (WHERE cancelled) AS lines_cancelled
FROM fact_order
SEMI JOIN mixed_order USING (dt, order_id)
GROUP BY dt, order_id
HAVING count(*) FILTER (WHERE cancelled) NOT IN (0, count(*));
