-- net_amount is the additive revenue: per order the shares must sum to order_amount to the last digit.
SELECT dt, order_id, net_amount AS sum_of_shares, order_amount
FROM order_summary
WHERE net_amount IS DISTINCT FROM order_amount;
