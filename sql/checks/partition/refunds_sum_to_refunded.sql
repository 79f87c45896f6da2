-- refunded_amount shares an order's refunds over its rows: per order they must sum to fact_refund to the last digit.
SELECT
    coalesce(shares.dt, refunds.dt) AS dt,
    coalesce(shares.order_id, refunds.order_id) AS order_id,
    coalesce(shares.amount, 0) AS sum_of_shares,
    coalesce(refunds.amount, 0) AS sum_of_refunds
FROM (
    SELECT dt, order_id, sum(refunded_amount) AS amount
    FROM fact_order
    WHERE refunded_amount <> 0
    GROUP BY dt, order_id
) AS shares
FULL JOIN (
    SELECT dt, order_id, sum(refund_amount) AS amount
    FROM fact_refund
    GROUP BY dt, order_id
) AS refunds ON refunds.dt = shares.dt AND refunds.order_id = shares.order_id
WHERE coalesce(shares.amount, 0) <> coalesce(refunds.amount, 0);
