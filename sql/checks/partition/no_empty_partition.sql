-- A day without orders has no file: an empty one looks like a day that was loaded and sold nothing.
SELECT manifest_files.file, manifest_files.rows AS rows_in_manifest
FROM manifest_files
WHERE manifest_files.rows = 0 OR manifest_files.dt NOT IN (SELECT order_summary.dt FROM order_summary);
