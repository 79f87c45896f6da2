-- order_amount repeats on each row of an order: two values mean that rows of two versions were mixed.
SELECT dt, order_id, min(order_amount) AS lowest_amount, max(order_amount) AS highest_amount
FROM fact_order
SEMI JOIN mixed_order USING (dt, order_id)
GROUP BY dt, order_id
HAVING min(order_amount) <> max(order_amount);
