-- Each order's lines in raw give the rows in curated, and every share of its money, to the last digit.
SELECT
    coalesce(raw.order_id, curated.order_id) AS order_id,
    coalesce(raw.sku, curated.sku) AS sku,
    CASE WHEN curated.sku IS NULL THEN 'not in curated' WHEN raw.sku IS NULL THEN 'not in raw' ELSE 'differs' END
        AS problem,
    raw.qty AS qty_in_raw,
    curated.qty AS qty_in_curated,
    raw.line_amount AS line_amount_in_raw,
    curated.line_amount AS line_amount_in_curated,
    raw.net AS net_in_raw,
    curated.net_amount AS net_in_curated,
    raw.discount AS discount_in_raw,
    curated.discount_amount AS discount_in_curated,
    raw.tax AS tax_in_raw,
    curated.tax_amount AS tax_in_curated,
    raw.shipping AS shipping_in_raw,
    curated.shipping_amount AS shipping_in_curated,
    raw.refunded AS refunded_in_raw,
    curated.refunded_amount AS refunded_in_curated
FROM (SELECT * FROM current_row SEMI JOIN compared_order USING (order_id)) AS raw
FULL JOIN (SELECT * FROM curated_row SEMI JOIN compared_order USING (order_id)) AS curated
    ON curated.order_id = raw.order_id AND curated.sku = raw.sku
WHERE
    raw.qty IS DISTINCT FROM curated.qty
    OR raw.line_amount IS DISTINCT FROM curated.line_amount
    OR raw.net IS DISTINCT FROM curated.net_amount
    OR raw.discount IS DISTINCT FROM curated.discount_amount
    OR raw.tax IS DISTINCT FROM curated.tax_amount
    OR raw.shipping IS DISTINCT FROM curated.shipping_amount
    OR raw.refunded IS DISTINCT FROM curated.refunded_amount
ORDER BY 1, 2;
