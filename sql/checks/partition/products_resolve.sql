-- Every SKU of a fact is in dim_product: a join on a key that is missing drops revenue silently.
SELECT fact_order.dt, fact_order.order_id, fact_order.sku
FROM fact_order
ANTI JOIN dim_product ON dim_product.sku = fact_order.sku;
