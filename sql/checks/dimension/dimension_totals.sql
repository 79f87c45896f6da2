-- A dimension has the rows that were recorded when it was written: a key never vanishes from it.
SELECT manifest_files.file, manifest_files.rows AS rows_in_manifest, found.rows AS rows_in_file
FROM manifest_files
INNER JOIN (
    SELECT 'dim_user.csv' AS file, count(*) AS rows FROM dim_user
    UNION ALL
    SELECT 'dim_product.csv' AS file, count(*) AS rows FROM dim_product
) AS found ON found.file = manifest_files.file
WHERE manifest_files.rows <> found.rows;
