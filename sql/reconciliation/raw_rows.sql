-- Each order's lines in raw give the rows in curated, every share of its money, to the last digit, and its plain texts.
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
    curated.refunded_amount AS refunded_in_curated,
    raw.item_price AS item_price_in_raw,
    curated.item_price AS item_price_in_curated,
    raw.created_at AS created_at_in_raw,
    curated.created_at_order AS created_at_in_curated,
    raw.user_id AS user_id_in_raw,
    curated.user_id AS user_id_in_curated,
    raw.status AS status_in_raw,
    curated.status AS status_in_curated,
    raw.source AS source_in_raw,
    curated.source AS source_in_curated,
    raw.promo AS promo_in_raw,
    curated.promo AS promo_in_curated
FROM (
    SELECT current_row.*, raw_current.created_at, raw_current.user_id, raw_current.status, raw_current.source, raw_current.promo
    FROM current_row
    INNER JOIN raw_current USING (order_id)
    SEMI JOIN compared_order USING (order_id)
) AS raw
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
    OR raw.item_price IS DISTINCT FROM curated.item_price
    OR raw.created_at <> curated.created_at_order
    -- Null in raw where the text is not plain; '' where there is none.
    OR raw.user_id <> coalesce(curated.user_id, '')
    OR raw.status <> coalesce(curated.status, '')
    OR raw.source <> coalesce(curated.source, '')
    OR raw.promo <> coalesce(curated.promo, '')
ORDER BY 1, 2;
