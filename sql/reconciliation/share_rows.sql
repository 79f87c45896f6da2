-- One row per (order_id, sku) of each current version in raw: every value shared again, in integers of 0.0001 on the way.
CREATE OR REPLACE TEMP TABLE current_refund AS
SELECT raw_current.order_id, raw_refund.refund_id, raw_refund.sku, raw_refund.qty, raw_refund.amount, raw_refund.refunded_at
FROM raw_refund
INNER JOIN raw_current USING (batch, page, idx);
CREATE OR REPLACE TEMP TABLE current_row AS
WITH line AS (
    SELECT
        o.order_id,
        l.sku,
        l.qty,
        l.line_amount,
        l.item_price,
        units(o.amount) AS amount,
        units(o.shipping) AS shipping,
        units(coalesce(o.discount, sum(l.discount) OVER version)) AS discount,
        units(coalesce(o.tax, sum(l.tax) OVER version)) AS tax,
        coalesce(units(l.discount), 0) AS own_discount,
        coalesce(units(l.tax), 0) AS own_tax,
        CASE
            WHEN coalesce(sum(l.line_amount) OVER version, 0) > 0 THEN coalesce(units(l.line_amount), 0) ELSE units(l.qty)
        END AS weight
    FROM raw_line AS l
    INNER JOIN raw_current AS o USING (batch, page, idx)
    WINDOW version AS (PARTITION BY o.order_id)
), weighted AS (
    SELECT
        *,
        CASE WHEN sum(own_discount) OVER version > 0 THEN own_discount ELSE weight END AS discount_weight,
        CASE WHEN sum(own_tax) OVER version > 0 THEN own_tax ELSE weight END AS tax_weight
    FROM line
    WINDOW version AS (PARTITION BY order_id)
), shared AS (
    SELECT
        order_id,
        sku,
        qty,
        line_amount,
        item_price,
        weight,
        share(amount, weight, sum(weight) OVER upto, sum(weight) OVER version) AS net,
        share(discount, discount_weight, sum(discount_weight) OVER upto, sum(discount_weight) OVER version) AS discount,
        share(tax, tax_weight, sum(tax_weight) OVER upto, sum(tax_weight) OVER version) AS tax,
        share(shipping, weight, sum(weight) OVER upto, sum(weight) OVER version) AS shipping
    FROM weighted
    WINDOW
        version AS (PARTITION BY order_id),
        upto AS (PARTITION BY order_id ORDER BY sku ROWS UNBOUNDED PRECEDING)
), refunded AS (
    SELECT
        shared.*,
        coalesce(units(named.amount), 0) AS named,
        coalesce(units(refunds.amount), 0) - sum(coalesce(units(named.amount), 0)) OVER version AS rest,
        CASE WHEN sum(net) OVER version > 0 THEN net ELSE weight END AS rest_weight
    FROM shared
    LEFT JOIN (
        SELECT order_id, sku, sum(amount) AS amount FROM current_refund GROUP BY order_id, sku
    ) AS named ON named.order_id = shared.order_id AND named.sku = shared.sku
    LEFT JOIN (
        SELECT order_id, sum(amount) AS amount FROM current_refund GROUP BY order_id
    ) AS refunds ON refunds.order_id = shared.order_id
    WINDOW version AS (PARTITION BY shared.order_id)
)
SELECT
    order_id,
    sku,
    qty,
    line_amount,
    item_price,
    money(net) AS net,
    money(discount) AS discount,
    money(tax) AS tax,
    money(shipping) AS shipping,
    money(named + share(rest, rest_weight, sum(rest_weight) OVER upto, sum(rest_weight) OVER version)) AS refunded
FROM refunded
WINDOW
    version AS (PARTITION BY order_id),
    upto AS (PARTITION BY order_id ORDER BY sku ROWS UNBOUNDED PRECEDING);
