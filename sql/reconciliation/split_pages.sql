-- One row per record of the pages in raw_page that DuckDB reads exactly.
INSERT INTO raw_record
SELECT
    batch, page, idx, since, until, began_at, record, is_deep(CAST(record AS VARCHAR)) AS is_unparseable,
    CAST(NULL AS VARCHAR) AS given_id, false AS is_mapped
FROM (
    SELECT batch, page, since, until, began_at, unnest(range(len(records))) AS idx, unnest(records) AS record
    FROM (
        -- Each path is a literal: DuckDB gives a list for those alone.
        SELECT
            *,
            CASE WHEN json_type(content) = 'ARRAY'
                THEN json_extract(content, '$[*]') ELSE json_extract(content, '$.orders[*]')
            END AS records
        FROM raw_page
        WHERE is_exact
    )
);
