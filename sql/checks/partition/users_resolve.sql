-- Every user of a fact is in dim_user: a join on a key that is missing drops revenue silently.
SELECT fact_order.dt, fact_order.order_id, fact_order.sku, fact_order.user_id
FROM fact_order
ANTI JOIN dim_user ON dim_user.user_id = fact_order.user_id
WHERE fact_order.user_id IS NOT NULL;
