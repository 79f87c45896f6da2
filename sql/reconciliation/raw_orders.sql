-- Each order's current version in raw is the order in curated: nothing lost, nothing made up, nothing stale.
SELECT
    coalesce(raw.order_id, curated.order_id) AS order_id,
    CASE
        WHEN raw.is_gone THEN 'gone in raw'
        WHEN curated.order_id IS NULL THEN 'not in curated'
        WHEN raw.order_id IS NULL THEN 'not in raw'
        ELSE 'differs'
    END AS problem,
    raw.batch AS batch,
    raw.created_at AS created_at_in_raw,
    curated.dt AS dt_in_curated,
    raw.amount AS amount_in_raw,
    curated.order_amount AS amount_in_curated,
    raw.currency AS currency_in_raw,
    curated.currency AS currency_in_curated,
    raw.lines AS rows_in_raw,
    curated.lines AS rows_in_curated,
    raw.cancelled AS cancelled_in_raw,
    curated.cancelled AS cancelled_in_curated
FROM raw_current AS raw
FULL JOIN order_partition AS curated ON curated.order_id = raw.order_id
WHERE
    NOT EXISTS (
        SELECT 1 FROM validated_order
        WHERE validated_order.is_unparseable AND validated_order.order_id = coalesce(raw.order_id, curated.order_id)
    )
    -- An order whose current version lets it leave is in curated no more.
    AND NOT (coalesce(raw.is_gone, false) AND curated.order_id IS NULL)
    AND (
        raw.order_id IS NULL
        OR raw.is_gone
        OR curated.order_id IS NULL
        OR NOT EXISTS (
            SELECT 1 FROM shop_span
            WHERE shop_span.dt = curated.dt AND raw.created_at >= shop_span.since AND raw.created_at < shop_span.until
        )
        OR raw.version_at <> curated.updated_at_order
        OR raw.amount <> curated.order_amount
        OR raw.lines <> curated.lines
        OR raw.cancelled <> curated.cancelled
        -- Upper case and the cut to 255 bytes are for the models to know beyond ASCII.
        OR (
            raw.currency IS DISTINCT FROM curated.currency
            AND (raw.currency IS NULL OR regexp_full_match(raw.currency, '[ -~]{1,255}'))
        )
    )
ORDER BY 1;
