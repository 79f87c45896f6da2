-- One row per (dt, order_id): its sums, and the lowest and highest of what must be one value on all of its rows.
SELECT
    dt,
    order_id,
    count(*) AS lines,
    sum(net_amount) AS net_amount,
    sum(line_amount) AS line_amount,
    count(line_amount) AS lines_with_amount,
    min(order_amount) AS lowest_amount,
    max(order_amount) AS highest_amount,
    min(user_id) AS lowest_user_id,
    max(user_id) AS highest_user_id,
    count(user_id) AS lines_with_user,
    min(currency) AS lowest_currency,
    max(currency) AS highest_currency,
    count(currency) AS lines_with_currency,
    any_value(user_country) AS user_country,
    max(updated_at_order) AS updated_at_order
FROM fact_order
GROUP BY dt, order_id
