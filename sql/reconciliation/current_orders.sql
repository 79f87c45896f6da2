-- One row per order: its current version in raw. Then those whose rows and refunds can be compared: what raw_orders finds
-- different, or no record was exact for, is left out.
CREATE TEMP TABLE raw_current AS
SELECT * FROM validated_order
WHERE reason IS NULL AND NOT is_outside AND NOT is_unparseable
QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY version_at DESC, batch DESC, page DESC, idx DESC) = 1;
CREATE TEMP TABLE compared_order AS
SELECT raw.order_id
FROM raw_current AS raw
INNER JOIN order_partition AS curated
    ON curated.order_id = raw.order_id AND curated.updated_at_order = raw.version_at
    AND curated.order_amount = raw.amount AND curated.lines = raw.lines
ANTI JOIN (SELECT order_id FROM validated_order WHERE is_unparseable) AS unparseable ON unparseable.order_id = raw.order_id
WHERE NOT raw.is_gone;
