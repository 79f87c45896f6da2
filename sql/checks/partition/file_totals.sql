-- What a file holds is what was recorded when it was written: a file cut short at a row's end still reads well.
SELECT
    manifest_files.file,
    manifest_files.rows AS rows_in_manifest,
    coalesce(found.lines, 0) AS rows_in_file,
    manifest_files.orders AS orders_in_manifest,
    coalesce(found.orders, 0) AS orders_in_file
FROM manifest_files
LEFT JOIN (
    SELECT 'fact_order' AS table_name, dt, sum(lines) AS lines, count(*) AS orders
    FROM order_summary
    GROUP BY dt
    UNION ALL
    SELECT 'fact_refund' AS table_name, dt, count(*) AS lines, count(DISTINCT order_id) AS orders
    FROM fact_refund
    GROUP BY dt
) AS found ON found.table_name = manifest_files.table_name AND found.dt = manifest_files.dt
WHERE manifest_files.rows <> coalesce(found.lines, 0) OR manifest_files.orders <> coalesce(found.orders, 0);
