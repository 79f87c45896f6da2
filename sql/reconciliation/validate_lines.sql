-- One row per line of the records in raw_record, with the first rule that it breaks.
CREATE OR REPLACE TEMP TABLE validated_line AS
SELECT
    batch,
    page,
    idx,
    sku,
    qty,
    price,
    amount,
    discount,
    tax,
    CASE
        WHEN coalesce(json_type(item), 'NULL') <> 'OBJECT' THEN 'invalid_item'
        WHEN sku IS NULL THEN 'missing_sku'
        WHEN is_invalid_id(sku, given_sku) THEN 'invalid_sku'
        WHEN qty IS NULL OR qty < 0 OR qty >= 1e9 THEN 'invalid_qty'
        WHEN is_invalid_amount(given_price) THEN 'invalid_price'
        WHEN is_invalid_amount(given_discount) THEN 'invalid_discount'
        WHEN is_invalid_amount(given_tax) THEN 'invalid_tax'
        WHEN amount >= amount_limit() THEN 'invalid_price'
    END AS reason,
    has_repeated_key(item) OR is_large_id(given_sku) OR is_long_number(given_qty) OR is_long_number(given_price)
    OR is_long_number(given_discount) OR is_long_number(given_tax) AS is_unparseable
FROM (
    SELECT
        *,
        CASE WHEN qty >= 0 AND qty < 1e9 AND price >= 0 AND price < amount_limit() THEN
            round_even(try_cast(qty AS DECIMAL(38, 4)) * try_cast(price AS DECIMAL(18, 4)), 4)
        END AS amount
    FROM (
        SELECT
            batch,
            page,
            idx,
            item,
            members[1] AS given_sku,
            members[2] AS given_qty,
            members[3] AS given_price,
            members[4] AS given_discount,
            members[5] AS given_tax,
            text_of(members[1]) AS sku,
            number_of(members[2]) AS qty,
            number_of(members[3]) AS price,
            number_of(members[4]) AS discount,
            number_of(members[5]) AS tax
        FROM (
            SELECT *, json_extract(item, ['$.sku', '$.qty', '$.price', '$.discount', '$.tax']) AS members
            FROM (
                SELECT batch, page, idx, unnest(json_extract(record, '$.items[*]')) AS item
                FROM raw_record
                WHERE json_type(record, '$.items') = 'ARRAY'
            )
        )
    )
);
