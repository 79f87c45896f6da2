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
    -- Comparing hashes costs less than the lowest and highest of each column.
    min(hash(user_id, currency, order_amount)) <> max(hash(user_id, currency, order_amount)) AS is_mixed,
    any_value(user_country) AS user_country,
    max(updated_at_order) AS updated_at_order
FROM fact_order
GROUP BY dt, order_id
