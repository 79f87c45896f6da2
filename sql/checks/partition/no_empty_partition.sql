-- A day without rows has no file: an empty one looks like a day that was loaded and sold nothing.
SELECT manifest_files.file, manifest_files.rows AS rows_in_manifest
FROM manifest_files
ANTI JOIN (
    SELECT DISTINCT 'fact_order' AS table_name, dt FROM order_summary
    UNION ALL
    SELECT DISTINCT 'fact_refund' AS table_name, dt FROM fact_refund
) AS found ON found.table_name = manifest_files.table_name AND found.dt = manifest_files.dt;
