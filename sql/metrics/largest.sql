-- The rows with the highest amount of each period and currency in totals, $most at most, ties by name; and in a row without
-- a name all others of that currency in one.
SELECT
    period,
    currency,
    CASE WHEN rank <= $most THEN name END AS name,
    count(*)::BIGINT AS names,
    sum(total) AS count,
    sum(amount) AS amount,
    sum(net) AS net
FROM (
    SELECT *, row_number() OVER (PARTITION BY period, currency ORDER BY amount DESC, name) AS rank
    FROM (
        SELECT period, currency, name, sum(count) AS total, sum(amount) AS amount, sum(net) AS net
        FROM totals
        WHERE currency IN (SELECT currency FROM shown_currency)
        GROUP BY period, currency, name
    )
)
GROUP BY ALL
ORDER BY period, currency, min(rank)
