-- Refunds by file and currency are what was recorded when it was written: the right number of wrong rows is still wrong.
SELECT
    coalesce(manifest_sums.dt, found.dt) AS dt,
    coalesce(manifest_sums.currency, found.currency) AS currency,
    coalesce(manifest_sums.amount, 0) AS refunds_in_manifest,
    coalesce(found.refunds, 0) AS refunds_in_file
FROM (SELECT * FROM manifest_sums WHERE table_name = 'fact_refund') AS manifest_sums
FULL JOIN (
    SELECT dt, coalesce(currency, '') AS currency, sum(refund_amount) AS refunds
    FROM fact_refund
    GROUP BY dt, coalesce(currency, '')
) AS found ON found.dt = manifest_sums.dt AND found.currency = manifest_sums.currency
WHERE coalesce(manifest_sums.amount, 0) <> coalesce(found.refunds, 0);
