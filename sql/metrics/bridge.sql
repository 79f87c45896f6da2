-- One row per currency: sums from gross to net sales. refunded is what fact_refund says; cancelled and net are what the rows
-- of cancelled and of other orders have left, so that each side can tell whether the other is right.
SELECT
    coalesce(sold.currency, refunds.currency) AS currency,
    coalesce(sold.gross, 0) AS gross,
    coalesce(sold.discount, 0) AS discount,
    coalesce(sold.tax, 0) AS tax,
    coalesce(sold.shipping, 0) AS shipping,
    coalesce(sold.amount, 0) AS amount,
    coalesce(refunds.refunded, 0) AS refunded,
    coalesce(sold.cancelled, 0) AS cancelled,
    coalesce(sold.net, 0) AS net
FROM (
    SELECT
        coalesce(currency, '') AS currency,
        sum(line_amount) AS gross,
        sum(discount_amount) AS discount,
        sum(tax_amount) AS tax,
        sum(shipping_amount) AS shipping,
        sum(net_amount) AS amount,
        sum(net_amount - refunded_amount) FILTER (WHERE cancelled) AS cancelled,
        sum(net_amount - refunded_amount) FILTER (WHERE NOT cancelled) AS net
    FROM fact_order
    GROUP BY ALL
) AS sold
FULL JOIN (
    SELECT coalesce(currency, '') AS currency, sum(refund_amount) AS refunded
    FROM fact_refund
    GROUP BY ALL
) AS refunds ON refunds.currency = sold.currency
