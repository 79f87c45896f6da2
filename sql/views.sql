-- Views over the star schema, for DuckDB, PostgreSQL and Amazon Redshift alike: keep to the SQL that all of them have.
-- They need fact_order and fact_refund (with their dt column), dim_user and dim_product, as tables or as views over the
-- curated files. The shop's time zone is in one place: in the view refunds. Drop views of an older version first: PostgreSQL
-- and Redshift do not replace one by one with other columns.

-- One row per order. The columns that repeat on an order's rows are equal there, so MAX picks that value. Grouping by dt
-- too adds no row (an order lies in one partition) and lets a filter on dt reach the scan. All amounts are additive here:
-- net_sales = order_amount - refunded_amount - cancelled_amount, where the last is what a cancelled order has left.
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
    SUM(line_amount) AS gross_amount,
    SUM(discount_amount) AS discount_amount,
    SUM(tax_amount) AS tax_amount,
    SUM(shipping_amount) AS shipping_amount,
    SUM(refunded_amount) AS refunded_amount,
    BOOL_OR(cancelled) AS cancelled,
    SUM(CASE WHEN cancelled THEN net_amount - refunded_amount ELSE 0 END) AS cancelled_amount,
    SUM(CASE WHEN cancelled THEN 0 ELSE net_amount - refunded_amount END) AS net_sales,
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
    f.discount_amount,
    f.tax_amount,
    f.shipping_amount,
    f.refunded_amount,
    f.cancelled,
    f.dt
FROM fact_order AS f
LEFT JOIN dim_user AS u ON u.user_id = f.user_id
LEFT JOIN dim_product AS p ON p.sku = f.sku;

-- One row per (order_id, refund_id, sku), the grain of fact_refund: with the day of the refund, the day of its order (dt),
-- and what the dimensions say of its user and product. sku is null for what a refund does not name.
CREATE OR REPLACE VIEW refunds AS
SELECT
    r.order_id,
    r.refund_id,
    r.sku,
    r.qty,
    r.refund_amount,
    r.currency,
    r.refunded_at,
    -- Times are UTC; the second zone is the shop's: put the output's setting timezone here, such as 'Europe/Berlin'.
    CAST(r.refunded_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC' AS DATE) AS refund_day,
    o.user_id,
    u.country AS user_country,
    p.name AS product_name,
    p.category AS product_category,
    r.dt
FROM fact_refund AS r
LEFT JOIN orders AS o ON o.order_id = r.order_id AND o.dt = r.dt
LEFT JOIN dim_user AS u ON u.user_id = o.user_id
LEFT JOIN dim_product AS p ON p.sku = r.sku;

-- One row per (day, currency): from gross to net sales. Orders and cancellations count on the day of the order, refunds on
-- their own, so each day stays as it was reported. other_amount is what an order's amount has beyond its lines, discount,
-- tax and shipping: amount = gross - discount + tax + shipping + other, and net_sales = amount - cancelled - refunded.
CREATE OR REPLACE VIEW sales_by_day AS
SELECT
    day,
    currency,
    CAST(SUM(orders) AS BIGINT) AS orders,
    SUM(gross_amount) AS gross_amount,
    SUM(discount_amount) AS discount_amount,
    SUM(tax_amount) AS tax_amount,
    SUM(shipping_amount) AS shipping_amount,
    SUM(amount - gross_amount + discount_amount - tax_amount - shipping_amount) AS other_amount,
    SUM(amount) AS amount,
    SUM(cancelled_amount) AS cancelled_amount,
    SUM(refunded_amount) AS refunded_amount,
    SUM(amount - cancelled_amount - refunded_amount) AS net_sales
FROM (
    SELECT
        dt AS day,
        currency,
        1 AS orders,
        COALESCE(gross_amount, 0) AS gross_amount,
        COALESCE(discount_amount, 0) AS discount_amount,
        COALESCE(tax_amount, 0) AS tax_amount,
        COALESCE(shipping_amount, 0) AS shipping_amount,
        order_amount AS amount,
        cancelled_amount,
        0 AS refunded_amount
    FROM orders
    UNION ALL
    SELECT refund_day, currency, 0, 0, 0, 0, 0, 0, 0, refund_amount
    FROM refunds
) AS movements
GROUP BY day, currency;
