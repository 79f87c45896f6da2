-- What the rules reject is what quarantine lists, batch by batch and reason by reason: nothing is dropped in silence.
SELECT
    coalesce(judged.batch, listed.batch) AS batch,
    coalesce(judged.scope, listed.scope) AS scope,
    coalesce(judged.reason, listed.reason) AS reason,
    coalesce(judged.rejects, 0) AS in_raw,
    coalesce(listed.rejects, 0) AS in_quarantine
FROM (
    SELECT batch, scope, reason, count(*) AS rejects
    FROM (
        SELECT batch, 'order' AS scope, reason
        FROM judged_order
        WHERE reason IS NOT NULL AND NOT is_outside AND NOT is_opaque
        UNION ALL
        SELECT batch, 'line' AS scope, reason
        FROM line_reject
    )
    GROUP BY ALL
) AS judged
FULL JOIN (
    SELECT batch, scope, reason, count(*) AS rejects
    FROM quarantined
    WHERE NOT EXISTS (
        SELECT 1 FROM judged_order
        WHERE
            judged_order.is_opaque
            AND judged_order.batch = quarantined.batch
            AND judged_order.page = quarantined.page
            AND judged_order.idx = quarantined.idx
    )
    GROUP BY ALL
) AS listed ON listed.batch = judged.batch AND listed.scope = judged.scope AND listed.reason = judged.reason
WHERE coalesce(judged.rejects, 0) <> coalesce(listed.rejects, 0)
ORDER BY 1, 2, 3;
