-- A row without a quantity sold nothing: averages per unit would divide by nothing.
SELECT dt, order_id, sku, qty
FROM fact_order
WHERE qty = 0;
