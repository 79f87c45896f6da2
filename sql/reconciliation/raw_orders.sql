-- Each order's winning version in raw is the order that curated holds: nothing lost, nothing made up, nothing stale.
SELECT
    coalesce(winner.order_id, held_order.order_id) AS order_id,
    CASE
        WHEN winner.is_gone THEN 'gone in raw'
        WHEN held_order.order_id IS NULL THEN 'not in curated'
        WHEN winner.order_id IS NULL THEN 'not in raw'
        ELSE 'differs'
    END AS problem,
    winner.batch AS batch,
    winner.dt AS dt_in_raw,
    held_order.dt AS dt_in_curated,
    winner.amount AS amount_in_raw,
    held_order.amount AS amount_in_curated,
    winner.currency AS currency_in_raw,
    held_order.currency AS currency_in_curated,
    winner.lines AS rows_in_raw,
    held_order.lines AS rows_in_curated
FROM raw_winner AS winner
FULL JOIN held_order ON held_order.order_id = winner.order_id
WHERE
    NOT EXISTS (
        SELECT 1 FROM judged_order
        WHERE judged_order.is_opaque AND judged_order.order_id = coalesce(winner.order_id, held_order.order_id)
    )
    -- An order whose winning version lets it leave is in curated no more.
    AND NOT (coalesce(winner.is_gone, false) AND held_order.order_id IS NULL)
    AND (
        winner.order_id IS NULL
        OR winner.is_gone
        OR held_order.order_id IS NULL
        OR winner.dt <> held_order.dt
        OR winner.moment <> held_order.updated_at
        OR winner.amount <> held_order.amount
        OR winner.lines <> held_order.lines
        -- Upper case and the cut to 255 bytes are for the models to know beyond ASCII.
        OR (
            winner.currency IS DISTINCT FROM held_order.currency
            AND (winner.currency IS NULL OR regexp_full_match(winner.currency, '[ -~]{1,255}'))
        )
    )
ORDER BY 1;
