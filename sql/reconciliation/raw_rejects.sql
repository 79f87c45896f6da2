-- What the rules reject is what quarantine lists, batch by batch and reason by reason: nothing is dropped in silence.
SELECT
    coalesce(validated.batch, listed.batch) AS batch,
    coalesce(validated.scope, listed.scope) AS scope,
    coalesce(validated.reason, listed.reason) AS reason,
    coalesce(validated.rejects, 0) AS in_raw,
    coalesce(listed.rejects, 0) AS in_quarantine
FROM (
    SELECT batch, scope, reason, count(*) AS rejects
    FROM (
        SELECT batch, 'order' AS scope, reason
        FROM validated_order
        WHERE reason IS NOT NULL AND NOT is_outside AND NOT is_unparseable
        UNION ALL
        SELECT batch, 'line' AS scope, reason
        FROM line_reject
    )
    GROUP BY ALL
) AS validated
FULL JOIN (
    SELECT batch, scope, reason, count(*) AS rejects
    FROM quarantined
    WHERE NOT EXISTS (
        SELECT 1 FROM validated_order
        WHERE
            validated_order.is_unparseable
            AND validated_order.batch = quarantined.batch
            AND validated_order.page = quarantined.page
            AND validated_order.idx = quarantined.idx
    )
    GROUP BY ALL
) AS listed ON listed.batch = validated.batch AND listed.scope = validated.scope AND listed.reason = validated.reason
WHERE coalesce(validated.rejects, 0) <> coalesce(listed.rejects, 0)
ORDER BY 1, 2, 3;
