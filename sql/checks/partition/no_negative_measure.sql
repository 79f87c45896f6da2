-- Payloads with negative amounts, prices or quantities are rejected: one in here was made by the pipeline.
SELECT
    dt, order_id, sku, qty, item_price, line_amount, order_amount, net_amount, list_price, discount_amount, tax_amount,
    shipping_amount
FROM fact_order
WHERE
    qty < 0 OR item_price < 0 OR line_amount < 0 OR order_amount < 0 OR net_amount < 0 OR list_price < 0
    OR discount_amount < 0 OR tax_amount < 0 OR shipping_amount < 0;
