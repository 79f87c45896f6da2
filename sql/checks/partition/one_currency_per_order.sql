-- An order has one currency, or none on all of its rows: shares in two currencies sum to nothing.
SELECT
    dt, order_id, min(currency) AS lowest_currency, max(currency) AS highest_currency,
    count(*) - count(currency) AS lines_without_currency
FROM fact_order
SEMI JOIN mixed_order USING (dt, order_id)
GROUP BY dt, order_id
HAVING min(currency) <> max(currency) OR count(currency) NOT IN (0, count(*));
