-- Revenue by file and currency is what was recorded when it was written: the right number of wrong rows is still wrong.
SELECT
    coalesce(manifest_sums.dt, held.dt) AS dt,
    coalesce(manifest_sums.currency, held.currency) AS currency,
    coalesce(manifest_sums.revenue, 0) AS revenue_in_manifest,
    coalesce(held.revenue, 0) AS revenue_in_file
FROM manifest_sums
FULL JOIN (
    SELECT dt, coalesce(lowest_currency, '') AS currency, sum(net_amount) AS revenue
    FROM order_spread
    GROUP BY dt, coalesce(lowest_currency, '')
) AS held ON held.dt = manifest_sums.dt AND held.currency = manifest_sums.currency
WHERE coalesce(manifest_sums.revenue, 0) <> coalesce(held.revenue, 0);
