-- An order has one user, or none on all of its rows: anything else means that rows of two versions were mixed.
SELECT
    dt, order_id, min(user_id) AS lowest_user_id, max(user_id) AS highest_user_id,
    count(*) - count(user_id) AS lines_without_user
FROM fact_order
SEMI JOIN mixed_order USING (dt, order_id)
GROUP BY dt, order_id
HAVING min(user_id) <> max(user_id) OR count(user_id) NOT IN (0, count(*));
