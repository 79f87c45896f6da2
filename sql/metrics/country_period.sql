-- One row per (period, currency, country), likewise; the country is '' for guests and unknown users.
SELECT
    period.number AS period,
    sold.currency,
    sold.country AS name,
    sum(sold.orders) AS count,
    sum(sold.amount) AS amount,
    sum(sold.net) AS net
FROM (
    SELECT
        fact_order.dt,
        coalesce(currency, '') AS currency,
        coalesce(user_country, '') AS country,
        count(DISTINCT order_id) AS orders,
        sum(net_amount) AS amount,
        sum(CASE WHEN cancelled THEN 0 ELSE net_amount - refunded_amount END) AS net
    FROM fact_order
    GROUP BY ALL
) AS sold
INNER JOIN period ON sold.dt >= period.since AND sold.dt <= period.until
GROUP BY ALL
