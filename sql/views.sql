-- Two views over the star schema, for DuckDB and Amazon Redshift alike: keep to the SQL that both speak.
-- They need fact_order (with its dt column), dim_user and dim_product, as tables or as views over the curated files.

-- One row per order. The columns that repeat on an order's rows are equal there, so MAX picks that value. Grouping by dt
-- too adds no row (an order lies in one partition) and lets a filter on dt reach the scan.
CREATE OR REPLACE VIEW orders AS
SELECT
    order_id,
    MAX(user_id) AS user_id,
    MAX(currency) AS currency,
    MAX(order_amount) AS order_amount,
    COUNT(*) AS lines,
    SUM(qty) AS qty,
    MAX(created_at_order) AS created_at_order,
    MAX(updated_at_order) AS updated_at_order,
    MAX(status) AS status,
    MAX(source) AS source,
    MAX(promo) AS promo,
    MAX(user_country) AS user_country,
    dt
FROM fact_order
GROUP BY order_id, dt;

-- One row per (order_id, sku), the grain of fact_order, with what the dimensions say of its user and product.
-- LEFT joins keep a guest's lines, and every line should a dimension lag behind. Email stays in dim_user: who may read
-- this view need not see it. order_amount repeats on each row: sum net_amount instead.
CREATE OR REPLACE VIEW orders_enriched AS
SELECT
    f.order_id,
    f.sku,
    f.user_id,
    f.qty,
    f.item_price,
    f.line_amount,
    f.order_amount,
    f.net_amount,
    f.currency,
    f.created_at_order,
    f.updated_at_order,
    f.status,
    f.source,
    f.promo,
    u.country AS user_country,
    u.created_at_user,
    u.inferred AS user_inferred,
    p.name AS product_name,
    p.category AS product_category,
    p.price AS list_price,
    p.inferred AS product_inferred,
    f.dt
FROM fact_order AS f
LEFT JOIN dim_user AS u ON u.user_id = f.user_id
LEFT JOIN dim_product AS p ON p.sku = f.sku;
