-- One row per (dt, currency, country). amount_differs counts the orders whose lines, all priced, sum to another amount.
SELECT
    dt,
    coalesce(currency, '') AS currency,
    coalesce(user_country, '') AS country,
    count(*) AS orders,
    sum(lines) AS lines,
    sum(net_amount) AS revenue,
    count(*) FILTER (WHERE lines_with_amount = lines AND line_amount <> order_amount) AS amount_differs
FROM order_summary
GROUP BY ALL
