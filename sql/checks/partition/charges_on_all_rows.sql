-- Discount, tax and shipping are shared over all rows of an order, or given on none: a sum over some of them is a wrong one.
SELECT
    dt, order_id, count(*) AS lines, count(discount_amount) AS with_discount, count(tax_amount) AS with_tax,
    count(shipping_amount) AS with_shipping
FROM fact_order
SEMI JOIN mixed_order USING (dt, order_id)
GROUP BY dt, order_id
HAVING
    count(discount_amount) NOT IN (0, count(*))
    OR count(tax_amount) NOT IN (0, count(*))
    OR count(shipping_amount) NOT IN (0, count(*));
