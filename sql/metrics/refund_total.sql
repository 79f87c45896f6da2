-- One row per (currency, refunded_at): refunds by their own time, whatever the day of their order.
SELECT coalesce(currency, '') AS currency, refunded_at, sum(refund_amount) AS refunded
FROM fact_refund
GROUP BY ALL
