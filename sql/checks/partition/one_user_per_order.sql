-- An order has one user, or none on all of its rows: anything else means that rows of two versions were mixed.
SELECT dt, order_id, lowest_user_id, highest_user_id, lines - lines_with_user AS lines_without_user
FROM order_spread
WHERE lowest_user_id <> highest_user_id OR lines_with_user NOT IN (0, lines);
