-- One row per record of raw_record: outside its window, accepted (no reason; perhaps its order leaves), or the first rule
-- that it breaks.
CREATE OR REPLACE TEMP TABLE validated_record AS
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
        WHEN is_invalid_time(given_created_at) THEN 'invalid_created_at'
        WHEN is_invalid_time(given_updated_at) THEN 'invalid_updated_at'
        WHEN is_deleted THEN NULL
        WHEN is_invalid_id(text_of(given_user_id), given_user_id) THEN 'invalid_user_id'
        WHEN is_invalid_amount(given_amount) THEN 'invalid_amount'
        WHEN is_absent(given_items) THEN 'no_items'
        WHEN json_type(given_items) <> 'ARRAY' THEN 'invalid_items'
        WHEN coalesce(valid_lines, 0) = 0 AND rejected_lines > 0 THEN 'no_valid_items'
        WHEN coalesce(valid_lines, 0) = 0 AND stated > 0 THEN 'no_items'
        WHEN is_absent(given_amount) AND unpriced_lines > 0 THEN 'missing_amount'
        WHEN line_amount >= amount_limit() THEN 'invalid_amount'
        WHEN qty >= amount_limit() THEN 'invalid_items'
        WHEN is_invalid_amount(given_discount) THEN 'invalid_discount'
        WHEN is_invalid_amount(given_tax) THEN 'invalid_tax'
        WHEN is_invalid_amount(given_shipping) THEN 'invalid_shipping'
        WHEN NOT is_absent(given_refunds) AND json_type(given_refunds) <> 'ARRAY' THEN 'invalid_refund'
        WHEN refunds_invalid OR items_invalid THEN 'invalid_refund'
        WHEN refunded >= amount_limit() OR refunded_by_sku >= amount_limit() OR refunded_qty >= amount_limit() THEN 'invalid_refund'
        WHEN is_invalid_time(given_cancelled_at) THEN 'invalid_cancelled_at'
        WHEN line_discount >= amount_limit() THEN 'invalid_discount'
        WHEN line_tax >= amount_limit() THEN 'invalid_tax'
    END AS reason,
    is_deleted OR coalesce(valid_lines, 0) = 0 AS is_gone,
    version_at,
    created_at,
    coalesce(stated, line_amount) AS amount,
    upper(text_of(given_currency)) AS currency,
    lines,
    number_of(given_discount) AS discount,
    number_of(given_tax) AS tax,
    number_of(given_shipping) AS shipping,
    -- Null where the status is no plain text: raw_orders does not compare it then.
    CASE
        WHEN NOT is_absent(given_cancelled_at) THEN true
        ELSE lower(plain_text(given_status)) IN (SELECT status FROM cancelled_status)
    END AS cancelled,
    plain_text(given_user_id) AS user_id,
    plain_text(given_status) AS status,
    CASE WHEN NOT has_repeated_key(given_metadata) THEN plain_text(given_source) END AS source,
    CASE WHEN NOT has_repeated_key(given_metadata) THEN plain_text(given_promo) END AS promo,
    given_unparseable
    OR is_repeating
    OR coalesce(lines_unparseable, false)
    OR coalesce(refunds_unparseable, false)
    OR coalesce(items_unparseable, false)
    OR is_large_id(given_order_id)
    OR is_large_id(given_user_id)
    OR is_large_id(given_currency)
    OR is_long_number(given_amount)
    OR is_long_number(given_discount)
    OR is_long_number(given_tax)
    OR is_long_number(given_shipping)
    OR is_rare_time(given_created_at)
    OR is_rare_time(given_updated_at)
    OR is_rare_time(given_cancelled_at) AS is_unparseable
FROM (
    SELECT
        *,
        is_unparseable AS given_unparseable,
        has_repeated_key(record) AS is_repeating,
        text_of(given_order_id) AS order_id,
        time_of(given_created_at) AS created_at,
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
            members[9] AS given_discount,
            members[10] AS given_tax,
            members[11] AS given_shipping,
            members[12] AS given_refunds,
            members[13] AS given_cancelled_at,
            members[14] AS given_status,
            members[15] AS given_metadata,
            members[16] AS given_source,
            members[17] AS given_promo,
            CASE WHEN is_absent(members[3]) THEN time_of(members[2]) ELSE time_of(members[3]) END AS given_version_at
        FROM (
            -- One call, so that a record is parsed once.
            SELECT
                *,
                json_extract(
                    record,
                    [
                        '$.order_id', '$.created_at', '$.updated_at', '$.user_id', '$.amount', '$.currency', '$.items',
                        '$.deleted', '$.discount', '$.tax', '$.shipping', '$.refunds', '$.cancelled_at', '$.status',
                        '$.metadata', '$.metadata.source', '$.metadata.promo'
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
        count(*) FILTER (WHERE reason IS NULL AND qty > 0 AND amount IS NULL) AS unpriced_lines,
        coalesce(sum(amount) FILTER (WHERE reason IS NULL AND qty > 0), 0) AS line_amount,
        sum(qty) FILTER (WHERE reason IS NULL) AS qty,
        sum(discount) FILTER (WHERE reason IS NULL AND qty > 0) AS line_discount,
        sum(tax) FILTER (WHERE reason IS NULL AND qty > 0) AS line_tax,
        count(DISTINCT sku) FILTER (WHERE reason IS NULL AND qty > 0) AS lines,
        bool_or(is_unparseable) AS lines_unparseable
    FROM validated_line
    GROUP BY batch, page, idx
) AS line_totals USING (batch, page, idx)
LEFT JOIN (
    SELECT
        batch, page, idx, bool_or(is_invalid) AS refunds_invalid, bool_or(is_unparseable) AS refunds_unparseable,
        sum(amount) AS refunded
    FROM validated_refund
    GROUP BY batch, page, idx
) AS refund_totals USING (batch, page, idx)
LEFT JOIN (
    SELECT
        batch, page, idx, bool_or(is_invalid) AS items_invalid, bool_or(is_unparseable) AS items_unparseable,
        sum(amount) FILTER (WHERE sku IS NOT NULL) AS refunded_by_sku,
        sum(qty) AS refunded_qty
    FROM validated_refund_item
    GROUP BY batch, page, idx
) AS refund_item_totals USING (batch, page, idx);
INSERT INTO validated_order FROM validated_record;
CREATE OR REPLACE TEMP TABLE accepted_record AS
SELECT batch, page, idx FROM validated_record
WHERE reason IS NULL AND NOT is_gone AND NOT is_outside AND NOT is_unparseable;
