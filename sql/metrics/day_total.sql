-- One row per (dt, currency): sums from gross to net sales of a day's orders. Refunds are in refund_total, by their own time.
SELECT
    dt,
    currency,
    max(orders) AS orders,
    sum(gross) AS gross,
    sum(discount) AS discount,
    sum(tax) AS tax,
    sum(shipping) AS shipping,
    sum(amount) AS amount,
    sum(cancelled) AS cancelled
FROM (
    SELECT
        dt,
        coalesce(currency, '') AS currency,
        0 AS orders,
        sum(line_amount) AS gross,
        sum(discount_amount) AS discount,
        sum(tax_amount) AS tax,
        sum(shipping_amount) AS shipping,
        sum(net_amount) AS amount,
        sum(net_amount - refunded_amount) FILTER (WHERE cancelled) AS cancelled
    FROM fact_order
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT dt, coalesce(currency, '') AS currency, count(*) AS orders
    FROM order_summary
    GROUP BY ALL
)
GROUP BY dt, currency
