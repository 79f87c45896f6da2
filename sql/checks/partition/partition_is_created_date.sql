-- dt is the day of created_at_order in the output's time zone: a row on another day is missed by whoever filters on dt.
SELECT dt, order_id, sku, created_at_order, shop_day(created_at_order) AS day_of_order
FROM fact_order
WHERE dt IS DISTINCT FROM shop_day(created_at_order);
