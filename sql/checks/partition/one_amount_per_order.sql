-- order_amount repeats on each row of an order: two values mean that rows of two versions were mixed.
SELECT dt, order_id, lowest_amount, highest_amount
FROM order_spread
WHERE lowest_amount <> highest_amount;
