-- One row per record of the pages in raw_page that DuckDB reads exactly.
INSERT INTO raw_record
SELECT
    batch, page, unnest(range(len(records))) AS idx, since, until, unnest(records) AS record,
    false AS is_opaque, CAST(NULL AS VARCHAR) AS given_id
FROM (
    SELECT
        batch, page, since, until,
        CASE WHEN json_type(content) = 'ARRAY' THEN json_extract(content, '$[*]') ELSE json_extract(content, '$.orders[*]') END
            AS records
    FROM raw_page
    WHERE is_plain
);
