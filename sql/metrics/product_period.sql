-- One row per (period, currency, sku), of the orders of a period's days. net is what refunds and cancellations leave of them.
SELECT
    period.number AS period,
    sold.currency,
    sold.sku AS name,
    sum(sold.qty) AS count,
    sum(sold.amount) AS amount,
    sum(sold.net) AS net
FROM (
    SELECT
        dt,
        coalesce(currency, '') AS currency,
        sku,
        sum(qty) AS qty,
        sum(net_amount) AS amount,
        sum(CASE WHEN cancelled THEN 0 ELSE net_amount - refunded_amount END) AS net
    FROM fact_order
    GROUP BY ALL
) AS sold
INNER JOIN period ON sold.dt >= period.since AND sold.dt <= period.until
GROUP BY ALL
