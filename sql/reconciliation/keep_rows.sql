-- Of the accepted records what is needed once it is known which of them are current: rejected lines, rows, refunds.
INSERT INTO line_reject
SELECT batch, reason FROM validated_line SEMI JOIN accepted_record USING (batch, page, idx) WHERE reason IS NOT NULL;

-- One row per (record, sku): what its lines say of money.
INSERT INTO raw_line
SELECT
    batch,
    page,
    idx,
    sku,
    sum(qty) AS qty,
    sum(amount) AS line_amount,
    average(
        sum(coalesce(units(total) * 10000, units(qty) * units(price))), sum(units(qty)) FILTER (WHERE amount IS NOT NULL)
    ) AS item_price,
    sum(discount) AS discount,
    sum(tax) AS tax
FROM validated_line
SEMI JOIN accepted_record USING (batch, page, idx)
WHERE reason IS NULL AND qty > 0
GROUP BY batch, page, idx, sku;

-- One row per (record, refund, sku): the items that name an SKU, and without SKU what the refund has beyond them.
INSERT INTO raw_refund
WITH refund AS (
    SELECT batch, page, idx, refund_id, sum(amount) AS amount, max(refunded_at) AS refunded_at
    FROM validated_refund
    SEMI JOIN accepted_record USING (batch, page, idx)
    GROUP BY batch, page, idx, refund_id
), item AS (
    SELECT i.batch, i.page, i.idx, r.refund_id, i.sku, sum(i.qty) AS qty, sum(i.amount) AS amount
    FROM validated_refund_item AS i
    INNER JOIN validated_refund AS r USING (batch, page, idx, entry)
    SEMI JOIN accepted_record USING (batch, page, idx)
    GROUP BY i.batch, i.page, i.idx, r.refund_id, i.sku
), named AS (
    SELECT batch, page, idx, refund_id, sum(amount) AS amount
    FROM item
    WHERE sku IS NOT NULL
    GROUP BY batch, page, idx, refund_id
)
SELECT
    batch,
    page,
    idx,
    refund_id,
    item.sku,
    item.qty,
    -- Where the items say more than the refund comes to, they share that by what they say.
    CASE
        WHEN named.amount > refund.amount
            THEN money(share(
                units(refund.amount), units(item.amount), sum(units(item.amount)) OVER upto, units(named.amount)
            ))
        ELSE item.amount
    END,
    refund.refunded_at
FROM item
INNER JOIN refund USING (batch, page, idx, refund_id)
INNER JOIN named USING (batch, page, idx, refund_id)
WHERE item.sku IS NOT NULL
WINDOW upto AS (PARTITION BY batch, page, idx, refund_id ORDER BY item.sku ROWS UNBOUNDED PRECEDING)
UNION ALL
SELECT
    batch,
    page,
    idx,
    refund_id,
    NULL,
    unnamed.qty,
    greatest(refund.amount - coalesce(named.amount, 0), 0),
    refund.refunded_at
FROM refund
LEFT JOIN named USING (batch, page, idx, refund_id)
LEFT JOIN (SELECT * FROM item WHERE sku IS NULL) AS unnamed USING (batch, page, idx, refund_id)
WHERE named.amount IS NULL OR refund.amount > named.amount OR unnamed.qty IS NOT NULL;
