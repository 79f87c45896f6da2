-- Each order's refunds in raw are its refunds in curated: none lost, none made up, none of an older version.
SELECT
    coalesce(raw.order_id, curated.order_id) AS order_id,
    coalesce(raw.refund_id, curated.refund_id) AS refund_id,
    coalesce(raw.sku, curated.sku) AS sku,
    raw.qty AS qty_in_raw,
    curated.qty AS qty_in_curated,
    raw.amount AS amount_in_raw,
    curated.refund_amount AS amount_in_curated,
    raw.refunded_at AS refunded_at_in_raw,
    curated.refunded_at AS refunded_at_in_curated
FROM (SELECT * FROM current_refund SEMI JOIN compared_order USING (order_id)) AS raw
FULL JOIN (SELECT * FROM curated_refund SEMI JOIN compared_order USING (order_id)) AS curated
    ON curated.order_id = raw.order_id AND curated.refund_id = raw.refund_id AND curated.sku IS NOT DISTINCT FROM raw.sku
WHERE
    raw.qty IS DISTINCT FROM curated.qty
    OR raw.amount IS DISTINCT FROM curated.refund_amount
    OR raw.refunded_at IS DISTINCT FROM curated.refunded_at
ORDER BY 1, 2, 3 NULLS FIRST;
