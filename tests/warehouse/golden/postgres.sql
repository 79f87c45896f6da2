-- A load of the whole curated layer into PostgreSQL, for psql: psql -v ON_ERROR_STOP=1 -f THIS DATABASE
-- One transaction. Run it again after each run of ordersetl, while none is under way.
\set ON_ERROR_STOP on
\encoding UTF8
BEGIN;
CREATE SCHEMA IF NOT EXISTS "public";
CREATE TABLE IF NOT EXISTS "public"."shop_dim_user" (
    user_id VARCHAR NOT NULL,
    email VARCHAR,
    country VARCHAR,
    created_at_user DATE,
    inferred BOOLEAN NOT NULL,
    PRIMARY KEY (user_id)
);
CREATE TABLE IF NOT EXISTS "public"."shop_dim_product" (
    sku VARCHAR NOT NULL,
    name VARCHAR,
    category VARCHAR,
    price DECIMAL(18,4),
    inferred BOOLEAN NOT NULL,
    PRIMARY KEY (sku)
);
CREATE TABLE IF NOT EXISTS "public"."shop_fact_order" (
    order_id VARCHAR NOT NULL,
    sku VARCHAR NOT NULL,
    user_id VARCHAR,
    qty DECIMAL(18,4) NOT NULL,
    item_price DECIMAL(18,4),
    line_amount DECIMAL(18,4),
    order_amount DECIMAL(18,4) NOT NULL,
    net_amount DECIMAL(18,4) NOT NULL,
    currency VARCHAR,
    created_at_order TIMESTAMP NOT NULL,
    updated_at_order TIMESTAMP NOT NULL,
    status VARCHAR,
    source VARCHAR,
    promo VARCHAR,
    user_country VARCHAR,
    product_name VARCHAR,
    product_category VARCHAR,
    list_price DECIMAL(18,4),
    discount_amount DECIMAL(18,4),
    tax_amount DECIMAL(18,4),
    shipping_amount DECIMAL(18,4),
    refunded_amount DECIMAL(18,4) NOT NULL,
    cancelled BOOLEAN NOT NULL,
    dt DATE NOT NULL,
    PRIMARY KEY (order_id, sku)
);
CREATE INDEX IF NOT EXISTS "shop_fact_order_dt" ON "public"."shop_fact_order" (dt);
CREATE TABLE IF NOT EXISTS "public"."shop_fact_refund" (
    order_id VARCHAR NOT NULL,
    refund_id VARCHAR NOT NULL,
    sku VARCHAR,
    qty DECIMAL(18,4),
    refund_amount DECIMAL(18,4) NOT NULL,
    currency VARCHAR,
    refunded_at TIMESTAMP NOT NULL,
    dt DATE NOT NULL,
    UNIQUE (order_id, refund_id, sku)
);
CREATE INDEX IF NOT EXISTS "shop_fact_refund_dt" ON "public"."shop_fact_refund" (dt);
CREATE TABLE IF NOT EXISTS "public"."shop_ordersetl_load" (
    file VARCHAR(255) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    rows BIGINT NOT NULL,
    loaded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (file)
);
DELETE FROM "public"."shop_ordersetl_load";
CREATE TEMPORARY TABLE ordersetl_stage_dim_user (user_id VARCHAR, email VARCHAR, country VARCHAR, created_at_user DATE, inferred BOOLEAN) ON COMMIT DROP;
\copy ordersetl_stage_dim_user (user_id, email, country, created_at_user, inferred) FROM '/OUTPUT/curated/dim_user.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ANALYZE ordersetl_stage_dim_user (user_id);
CREATE TEMPORARY TABLE ordersetl_stage_dim_product (sku VARCHAR, name VARCHAR, category VARCHAR, price DECIMAL(18,4), inferred BOOLEAN) ON COMMIT DROP;
\copy ordersetl_stage_dim_product (sku, name, category, price, inferred) FROM '/OUTPUT/curated/dim_product.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ANALYZE ordersetl_stage_dim_product (sku);
CREATE TEMPORARY TABLE ordersetl_stage_fact_order (order_id VARCHAR, sku VARCHAR, user_id VARCHAR, qty DECIMAL(18,4), item_price DECIMAL(18,4), line_amount DECIMAL(18,4), order_amount DECIMAL(18,4), net_amount DECIMAL(18,4), currency VARCHAR, created_at_order TIMESTAMP, updated_at_order TIMESTAMP, status VARCHAR, source VARCHAR, promo VARCHAR, user_country VARCHAR, product_name VARCHAR, product_category VARCHAR, list_price DECIMAL(18,4), discount_amount DECIMAL(18,4), tax_amount DECIMAL(18,4), shipping_amount DECIMAL(18,4), refunded_amount DECIMAL(18,4), cancelled BOOLEAN, dt DATE) ON COMMIT DROP;
ALTER TABLE ordersetl_stage_fact_order ALTER COLUMN dt SET DEFAULT '2025-08-20';
\copy ordersetl_stage_fact_order (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled) FROM '/OUTPUT/curated/dt=2025-08-20/fact_order.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ALTER TABLE ordersetl_stage_fact_order ALTER COLUMN dt SET DEFAULT '2025-08-21';
\copy ordersetl_stage_fact_order (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled) FROM '/OUTPUT/curated/dt=2025-08-21/fact_order.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ALTER TABLE ordersetl_stage_fact_order ALTER COLUMN dt SET DEFAULT '2025-08-22';
\copy ordersetl_stage_fact_order (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled) FROM '/OUTPUT/curated/dt=2025-08-22/fact_order.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ALTER TABLE ordersetl_stage_fact_order ALTER COLUMN dt SET DEFAULT '2025-08-23';
\copy ordersetl_stage_fact_order (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled) FROM '/OUTPUT/curated/dt=2025-08-23/fact_order.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ALTER TABLE ordersetl_stage_fact_order ALTER COLUMN dt SET DEFAULT '2025-08-24';
\copy ordersetl_stage_fact_order (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled) FROM '/OUTPUT/curated/dt=2025-08-24/fact_order.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ALTER TABLE ordersetl_stage_fact_order ALTER COLUMN dt SET DEFAULT '2025-09-01';
\copy ordersetl_stage_fact_order (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled) FROM '/OUTPUT/curated/dt=2025-09-01/fact_order.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ANALYZE ordersetl_stage_fact_order (order_id);
CREATE TEMPORARY TABLE ordersetl_stage_fact_refund (order_id VARCHAR, refund_id VARCHAR, sku VARCHAR, qty DECIMAL(18,4), refund_amount DECIMAL(18,4), currency VARCHAR, refunded_at TIMESTAMP, dt DATE) ON COMMIT DROP;
ALTER TABLE ordersetl_stage_fact_refund ALTER COLUMN dt SET DEFAULT '2025-08-21';
\copy ordersetl_stage_fact_refund (order_id, refund_id, sku, qty, refund_amount, currency, refunded_at) FROM '/OUTPUT/curated/fact_refund/dt=2025-08-21/fact_refund.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ALTER TABLE ordersetl_stage_fact_refund ALTER COLUMN dt SET DEFAULT '2025-08-22';
\copy ordersetl_stage_fact_refund (order_id, refund_id, sku, qty, refund_amount, currency, refunded_at) FROM '/OUTPUT/curated/fact_refund/dt=2025-08-22/fact_refund.csv' (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')
ANALYZE ordersetl_stage_fact_refund (order_id);
CREATE TEMPORARY TABLE ordersetl_stage_day (dt DATE);
INSERT INTO ordersetl_stage_day VALUES ('2025-08-20'), ('2025-08-21'), ('2025-08-22'), ('2025-08-23'), ('2025-08-24'), ('2025-09-01');
CREATE TEMPORARY TABLE ordersetl_stage_file (file VARCHAR(255), sha256 VARCHAR(64), rows BIGINT);
INSERT INTO ordersetl_stage_file VALUES ('dim_product.csv', 'SHA256', 2), ('dim_user.csv', 'SHA256', 1), ('dt=2025-08-20/fact_order.csv', 'SHA256', 3), ('dt=2025-08-21/fact_order.csv', 'SHA256', 1), ('dt=2025-08-22/fact_order.csv', 'SHA256', 1), ('dt=2025-08-23/fact_order.csv', 'SHA256', 1), ('dt=2025-08-24/fact_order.csv', 'SHA256', 2), ('dt=2025-09-01/fact_order.csv', 'SHA256', 1), ('fact_refund/dt=2025-08-21/fact_refund.csv', 'SHA256', 1), ('fact_refund/dt=2025-08-22/fact_refund.csv', 'SHA256', 1), ('views.sql', 'SHA256', 0);
DELETE FROM "public"."shop_ordersetl_load" WHERE file IN (SELECT file FROM ordersetl_stage_file);
INSERT INTO "public"."shop_ordersetl_load" (file, sha256, rows, loaded_at) SELECT file, sha256, rows, '2025-09-03 12:00:00.000000' FROM ordersetl_stage_file WHERE sha256 <> '';
UPDATE "public"."shop_dim_user" SET email = s.email, country = s.country, created_at_user = s.created_at_user, inferred = s.inferred FROM (SELECT user_id, email, country, created_at_user, inferred FROM ordersetl_stage_dim_user EXCEPT SELECT user_id, email, country, created_at_user, inferred FROM "public"."shop_dim_user") AS s WHERE "shop_dim_user".user_id = s.user_id;
INSERT INTO "public"."shop_dim_user" (user_id, email, country, created_at_user, inferred) SELECT user_id, email, country, created_at_user, inferred FROM ordersetl_stage_dim_user WHERE user_id NOT IN (SELECT user_id FROM "public"."shop_dim_user");
UPDATE "public"."shop_dim_product" SET name = s.name, category = s.category, price = s.price, inferred = s.inferred FROM (SELECT sku, name, category, price, inferred FROM ordersetl_stage_dim_product EXCEPT SELECT sku, name, category, price, inferred FROM "public"."shop_dim_product") AS s WHERE "shop_dim_product".sku = s.sku;
INSERT INTO "public"."shop_dim_product" (sku, name, category, price, inferred) SELECT sku, name, category, price, inferred FROM ordersetl_stage_dim_product WHERE sku NOT IN (SELECT sku FROM "public"."shop_dim_product");
DELETE FROM "public"."shop_fact_order";
INSERT INTO "public"."shop_fact_order" (order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled, dt) SELECT order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency, created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category, list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled, dt FROM ordersetl_stage_fact_order;
DELETE FROM "public"."shop_fact_refund";
INSERT INTO "public"."shop_fact_refund" (order_id, refund_id, sku, qty, refund_amount, currency, refunded_at, dt) SELECT order_id, refund_id, sku, qty, refund_amount, currency, refunded_at, dt FROM ordersetl_stage_fact_refund;
DELETE FROM "public"."shop_dim_user" WHERE user_id NOT IN (SELECT user_id FROM ordersetl_stage_dim_user);
DELETE FROM "public"."shop_dim_product" WHERE sku NOT IN (SELECT sku FROM ordersetl_stage_dim_product);
DROP VIEW IF EXISTS "public"."shop_sales_by_day";
DROP VIEW IF EXISTS "public"."shop_refunds";
DROP VIEW IF EXISTS "public"."shop_orders_enriched";
DROP VIEW IF EXISTS "public"."shop_orders";
CREATE OR REPLACE VIEW "public"."shop_orders" AS
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
FROM "public"."shop_fact_order"
GROUP BY order_id, dt;
CREATE OR REPLACE VIEW "public"."shop_orders_enriched" AS
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
FROM "public"."shop_fact_order" AS f
LEFT JOIN "public"."shop_dim_user" AS u ON u.user_id = f.user_id
LEFT JOIN "public"."shop_dim_product" AS p ON p.sku = f.sku;
CREATE OR REPLACE VIEW "public"."shop_refunds" AS
SELECT
    r.order_id,
    r.refund_id,
    r.sku,
    r.qty,
    r.refund_amount,
    r.currency,
    r.refunded_at,
    CASE WHEN CAST(r.refunded_at AS DATE) BETWEEN DATE '2000-01-01' AND DATE '2049-12-31' THEN CASE WHEN r.refunded_at < CAST('2024-10-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2012-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2005-10-30 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2002-10-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2001-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2000-03-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2000-10-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2001-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2002-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2004-03-28 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2003-03-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2003-10-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2004-10-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2005-03-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END END ELSE CASE WHEN r.refunded_at < CAST('2008-10-26 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2007-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2006-03-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2006-10-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2007-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2008-03-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2010-03-28 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2009-03-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2009-10-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2011-03-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2010-10-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END ELSE CASE WHEN r.refunded_at < CAST('2011-10-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END END END ELSE CASE WHEN r.refunded_at < CAST('2018-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2015-03-29 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2013-10-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2012-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2013-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2014-03-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2014-10-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2016-10-30 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2015-10-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2016-03-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2017-03-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2017-10-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END END ELSE CASE WHEN r.refunded_at < CAST('2021-03-28 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2019-10-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2018-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2019-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2020-03-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2020-10-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2022-10-30 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2021-10-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2022-03-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2023-10-29 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2023-03-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END ELSE CASE WHEN r.refunded_at < CAST('2024-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END END END END ELSE CASE WHEN r.refunded_at < CAST('2037-03-29 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2030-10-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2027-10-31 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2026-03-29 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2025-03-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2025-10-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2026-10-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2027-03-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2029-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2028-03-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2028-10-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2029-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2030-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END END ELSE CASE WHEN r.refunded_at < CAST('2033-10-30 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2032-03-28 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2031-03-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2031-10-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2032-10-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2033-03-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2035-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2034-03-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2034-10-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2036-03-30 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2035-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END ELSE CASE WHEN r.refunded_at < CAST('2036-10-26 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END END END ELSE CASE WHEN r.refunded_at < CAST('2043-10-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2040-03-25 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2038-10-31 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2037-10-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2038-03-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2039-03-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2039-10-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2041-10-27 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2040-10-28 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2041-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2042-10-26 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2042-03-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END ELSE CASE WHEN r.refunded_at < CAST('2043-03-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END END ELSE CASE WHEN r.refunded_at < CAST('2046-10-28 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2045-03-26 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2044-03-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2044-10-30 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2045-10-29 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2046-03-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) END END END ELSE CASE WHEN r.refunded_at < CAST('2048-03-29 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2047-03-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) ELSE CASE WHEN r.refunded_at < CAST('2047-10-27 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END ELSE CASE WHEN r.refunded_at < CAST('2049-03-28 01:00:00' AS TIMESTAMP) THEN CASE WHEN r.refunded_at < CAST('2048-10-25 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END ELSE CASE WHEN r.refunded_at < CAST('2049-10-31 01:00:00' AS TIMESTAMP) THEN CAST(r.refunded_at + INTERVAL '7200 seconds' AS DATE) ELSE CAST(r.refunded_at + INTERVAL '3600 seconds' AS DATE) END END END END END END END ELSE CAST(r.refunded_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' AS DATE) END AS refund_day,
    o.user_id,
    u.country AS user_country,
    p.name AS product_name,
    p.category AS product_category,
    r.dt
FROM "public"."shop_fact_refund" AS r
LEFT JOIN "public"."shop_orders" AS o ON o.order_id = r.order_id AND o.dt = r.dt
LEFT JOIN "public"."shop_dim_user" AS u ON u.user_id = o.user_id
LEFT JOIN "public"."shop_dim_product" AS p ON p.sku = r.sku;
CREATE OR REPLACE VIEW "public"."shop_sales_by_day" AS
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
    FROM "public"."shop_orders"
    UNION ALL
    SELECT refund_day, currency, 0, 0, 0, 0, 0, 0, 0, refund_amount
    FROM "public"."shop_refunds"
) AS movements
GROUP BY day, currency;
COMMIT;
