-- One row per (dt, order_id): its sums, and what must be one value on all of its rows. is_mixed says that it is not.
SELECT
    dt,
    order_id,
    count(*) AS lines,
    sum(net_amount) AS net_amount,
    sum(line_amount) AS line_amount,
    count(line_amount) AS lines_with_amount,
    max(order_amount) AS order_amount,
    any_value(currency) AS currency,
    any_value(cancelled) AS cancelled,
    min(uniform) <> max(uniform) AS is_mixed,
    any_value(user_country) AS user_country,
    max(updated_at_order) AS updated_at_order
FROM (
    SELECT
        *,
        -- Comparing hashes costs less than the lowest and highest of each column.
        hash(
            user_id, currency, order_amount, cancelled,
            discount_amount IS NULL, tax_amount IS NULL, shipping_amount IS NULL
        ) AS uniform
    FROM fact_order
)
GROUP BY dt, order_id
