-- The products with the highest revenue in each currency, $most at most; ties go by SKU.
SELECT totals.sku, dim_product.name, totals.currency, totals.qty, totals.lines, totals.revenue
FROM (
    SELECT sku, currency, sum(lines)::BIGINT AS lines, sum(qty) AS qty, sum(revenue) AS revenue
    FROM product_total
    GROUP BY sku, currency
    QUALIFY row_number() OVER (PARTITION BY currency ORDER BY sum(revenue) DESC, sku) <= $most
) AS totals
LEFT JOIN (SELECT sku, any_value(name) AS name FROM dim_product GROUP BY sku) AS dim_product USING (sku)
ORDER BY totals.currency, totals.revenue DESC, totals.sku
