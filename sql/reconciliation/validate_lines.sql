-- One row per line of the records in raw_record, with the first rule that it breaks.
CREATE OR REPLACE TEMP TABLE validated_line AS
SELECT
    batch,
    page,
    idx,
    sku,
    qty,
    price,
    total,
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
        WHEN is_invalid_amount(given_total) THEN 'invalid_price'
        WHEN total IS NOT NULL AND qty > 0 AND units(total) * 10000 >= units(amount_limit()) * units(qty) THEN 'invalid_price'
        WHEN amount >= amount_limit() THEN 'invalid_price'
    END AS reason,
    has_repeated_key(item) OR is_large_id(given_sku) OR is_long_number(given_qty) OR is_long_number(given_price)
    OR is_long_number(given_discount) OR is_long_number(given_tax) OR is_long_number(given_total) AS is_unparseable
FROM (
    SELECT
        *,
        CASE
            WHEN total >= 0 AND total < amount_limit() THEN total
            WHEN total IS NULL AND qty >= 0 AND qty < 1e9 AND price >= 0 AND price < amount_limit()
                THEN round_even(try_cast(qty AS DECIMAL(38, 4)) * try_cast(price AS DECIMAL(18, 4)), 4)
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
            CASE WHEN is_mapped THEN members[6] END AS given_total,
            text_of(members[1]) AS sku,
            number_of(members[2]) AS qty,
            number_of(members[3]) AS price,
            number_of(members[4]) AS discount,
            number_of(members[5]) AS tax,
            CASE WHEN is_mapped THEN number_of(members[6]) END AS total
        FROM (
            SELECT *, json_extract(item, ['$.sku', '$.qty', '$.price', '$.discount', '$.tax', '$.total']) AS members
            FROM (
                SELECT batch, page, idx, is_mapped, unnest(json_extract(record, '$.items[*]')) AS item
                FROM raw_record
                WHERE json_type(record, '$.items') = 'ARRAY'
            )
        )
    )
);
