-- An order lies in one partition: one that moved and left rows behind is counted on two days.
SELECT order_id, min(dt) AS first_dt, max(dt) AS last_dt, count(*) AS partitions
FROM order_partition
GROUP BY order_id
HAVING count(*) > 1;
