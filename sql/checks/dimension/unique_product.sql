-- One row a product: a key that comes twice doubles the revenue of every join on it.
SELECT sku, count(*) AS occurrences
FROM dim_product
GROUP BY sku
HAVING count(*) > 1 OR sku IS NULL;
