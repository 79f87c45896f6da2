-- One row per record of raw_record: outside its window, accepted (no reason; perhaps its order leaves), or the first rule
-- that it breaks.
INSERT INTO validated_order
SELECT
    batch,
    page,
    idx,
    CASE WHEN is_repeating OR order_id IS NULL THEN given_id ELSE order_id END AS order_id,
    coalesce(json_type(record) = 'OBJECT' AND (version_at < since OR version_at >= until), false) AS is_outside,
    CASE
        WHEN json_type(record) <> 'OBJECT' THEN 'not_an_object'
        WHEN order_id IS NULL THEN 'missing_order_id'
        WHEN is_invalid_id(order_id, given_order_id) THEN 'invalid_order_id'
        WHEN is_absent(given_created_at) AND (NOT is_deleted OR is_absent(given_updated_at)) THEN 'missing_created_at'
        WHEN NOT is_absent(given_created_at) AND created_at IS NULL THEN 'invalid_created_at'
        WHEN NOT is_absent(given_updated_at) AND updated_at IS NULL THEN 'invalid_updated_at'
        WHEN is_deleted THEN NULL
        WHEN is_invalid_id(text_of(given_user_id), given_user_id) THEN 'invalid_user_id'
        WHEN NOT is_absent(given_amount) AND (stated IS NULL OR stated < 0 OR stated >= 1e14)
            THEN 'invalid_amount'
        WHEN is_absent(given_items) THEN 'no_items'
        WHEN json_type(given_items) <> 'ARRAY' THEN 'invalid_items'
        WHEN coalesce(valid_lines, 0) = 0 AND rejected_lines > 0 THEN 'no_valid_items'
        WHEN coalesce(valid_lines, 0) = 0 AND stated > 0 THEN 'no_items'
        WHEN is_absent(given_amount) AND unpriced_lines > 0 THEN 'missing_amount'
        WHEN line_amount >= 1e14 THEN 'invalid_amount'
        WHEN qty >= 1e14 THEN 'invalid_items'
    END AS reason,
    is_deleted OR coalesce(valid_lines, 0) = 0 AS is_gone,
    version_at,
    CAST(created_at AS DATE) AS dt,
    coalesce(stated, line_amount) AS amount,
    upper(text_of(given_currency)) AS currency,
    lines,
    given_unparseable
    OR is_repeating
    OR coalesce(lines_unparseable, false)
    OR is_large_id(given_order_id)
    OR is_large_id(given_user_id)
    OR is_long_number(given_amount)
    OR is_rare_time(given_created_at)
    OR is_rare_time(given_updated_at) AS is_unparseable
FROM (
    SELECT
        *,
        is_unparseable AS given_unparseable,
        has_repeated_key(record) AS is_repeating,
        text_of(given_order_id) AS order_id,
        time_of(given_created_at) AS created_at,
        time_of(given_updated_at) AS updated_at,
        -- A version of the future counts as of the time when its extraction began.
        CASE WHEN given_version_at > began_at + INTERVAL 1 DAY THEN began_at ELSE given_version_at END AS version_at,
        number_of(given_amount) AS stated
    FROM (
        SELECT
            *,
            members[1] AS given_order_id,
            members[2] AS given_created_at,
            members[3] AS given_updated_at,
            members[4] AS given_user_id,
            members[5] AS given_amount,
            members[6] AS given_currency,
            members[7] AS given_items,
            coalesce(json_type(members[8]) = 'BOOLEAN' AND (members[8] ->> '$') = 'true', false) AS is_deleted,
            CASE WHEN is_absent(members[3]) THEN time_of(members[2]) ELSE time_of(members[3]) END AS given_version_at
        FROM (
            -- One call, so that a record is parsed once.
            SELECT
                *,
                json_extract(
                    record,
                    [
                        '$.order_id', '$.created_at', '$.updated_at', '$.user_id', '$.amount', '$.currency', '$.items',
                        '$.deleted'
                    ]
                ) AS members
            FROM raw_record
        )
    )
) AS fields
LEFT JOIN (
    SELECT
        batch,
        page,
        idx,
        count(*) FILTER (WHERE reason IS NULL AND qty > 0) AS valid_lines,
        count(*) FILTER (WHERE reason IS NOT NULL) AS rejected_lines,
        count(*) FILTER (WHERE reason IS NULL AND qty > 0 AND price IS NULL) AS unpriced_lines,
        coalesce(sum(amount) FILTER (WHERE reason IS NULL), 0) AS line_amount,
        sum(qty) FILTER (WHERE reason IS NULL) AS qty,
        count(DISTINCT sku) FILTER (WHERE reason IS NULL AND qty > 0) AS lines,
        bool_or(is_unparseable) AS lines_unparseable
    FROM validated_line
    GROUP BY batch, page, idx
) AS line_totals USING (batch, page, idx);
