-- Every refund is in the partition of its order, and in its currency: one that is not reduces the sales of nothing.
SELECT fact_refund.dt, fact_refund.order_id, fact_refund.refund_id, fact_refund.sku, fact_refund.currency
FROM fact_refund
ANTI JOIN order_summary
    ON order_summary.dt = fact_refund.dt
    AND order_summary.order_id = fact_refund.order_id
    AND order_summary.currency IS NOT DISTINCT FROM fact_refund.currency;
