-- One row per refund of the records in raw_record, and one per item of each: valid or not, and what it says.
CREATE OR REPLACE TEMP TABLE validated_refund AS
SELECT
    batch,
    page,
    idx,
    entry,
    text_of(members[1]) AS refund_id,
    time_of(members[2]) AS refunded_at,
    number_of(members[3]) AS amount,
    members[4] AS given_items,
    coalesce(json_type(refund), 'NULL') <> 'OBJECT'
    OR text_of(members[1]) IS NULL
    OR is_invalid_id(text_of(members[1]), members[1])
    OR time_of(members[2]) IS NULL
    OR is_absent(members[3])
    OR is_invalid_amount(members[3])
    OR NOT (is_absent(members[4]) OR json_type(members[4]) = 'ARRAY') AS is_invalid,
    has_repeated_key(refund) OR is_large_id(members[1]) OR is_rare_time(members[2]) OR is_long_number(members[3])
        AS is_unparseable
FROM (
    SELECT *, json_extract(refund, ['$.refund_id', '$.created_at', '$.amount', '$.items']) AS members
    FROM (
        SELECT
            batch,
            page,
            idx,
            unnest(range(CAST(json_array_length(record, '$.refunds') AS BIGINT))) AS entry,
            unnest(json_extract(record, '$.refunds[*]')) AS refund
        FROM raw_record
        WHERE json_type(record, '$.refunds') = 'ARRAY'
    )
);
CREATE OR REPLACE TEMP TABLE validated_refund_item AS
SELECT
    batch,
    page,
    idx,
    entry,
    text_of(members[1]) AS sku,
    number_of(members[2]) AS qty,
    number_of(members[3]) AS amount,
    coalesce(json_type(item), 'NULL') <> 'OBJECT'
    OR is_invalid_id(text_of(members[1]), members[1])
    OR NOT is_absent(members[2]) AND NOT coalesce(number_of(members[2]) >= 0 AND number_of(members[2]) < 1e9, false)
    OR is_absent(members[3])
    OR is_invalid_amount(members[3]) AS is_invalid,
    has_repeated_key(item) OR is_large_id(members[1]) OR is_long_number(members[2]) OR is_long_number(members[3])
        AS is_unparseable
FROM (
    SELECT *, json_extract(item, ['$.sku', '$.qty', '$.amount']) AS members
    FROM (
        SELECT batch, page, idx, entry, unnest(json_extract(given_items, '$[*]')) AS item
        FROM validated_refund
        WHERE json_type(given_items) = 'ARRAY'
    )
);
