-- One row per (sku, currency).
SELECT sku, coalesce(currency, '') AS currency, count(*) AS lines, sum(qty) AS qty, sum(net_amount) AS revenue
FROM fact_order
GROUP BY ALL
