-- Revenue by file and currency is what was recorded when it was written: the right number of wrong rows is still wrong.
SELECT
    coalesce(manifest_sums.dt, found.dt) AS dt,
    coalesce(manifest_sums.currency, found.currency) AS currency,
    coalesce(manifest_sums.amount, 0) AS revenue_in_manifest,
    coalesce(found.revenue, 0) AS revenue_in_file
FROM (SELECT * FROM manifest_sums WHERE table_name = 'fact_order') AS manifest_sums
FULL JOIN (
    SELECT dt, coalesce(currency, '') AS currency, sum(net_amount) AS revenue
    FROM order_summary
    GROUP BY dt, coalesce(currency, '')
) AS found ON found.dt = manifest_sums.dt AND found.currency = manifest_sums.currency
WHERE coalesce(manifest_sums.amount, 0) <> coalesce(found.revenue, 0);
