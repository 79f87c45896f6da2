-- The star schema for Amazon Redshift, and how to load the curated files into it by hand.
-- `ordersetl load --warehouse redshift://...` creates these tables and loads what changed; `ordersetl load --print-sql redshift`
-- prints a script that loads everything.
--
-- Keys: Redshift does not enforce PRIMARY KEY and FOREIGN KEY, yet its planner believes them: a duplicate would change
-- results. They hold because curated files hold one row a key and `ordersetl check` proves it. NOT NULL is enforced.
-- VARCHAR(255) counts bytes, not characters: ids over 255 bytes are rejected, other text is cut at a character's edge.
-- Money and quantities are DECIMAL(18,4), never a float. Times are UTC in TIMESTAMP, without a zone.
--
-- ENCODE: AZ64 for decimals, dates and times, the densest and fastest for them; ZSTD for text, which neither grows on
-- unique ids nor needs few values as a byte dictionary does; RAW for booleans, which gain nothing, and for dt, the
-- leading sort column: range scans go by its zone maps, and decoding it would only slow them.

-- The dimensions are small and joined by every query: DISTSTYLE ALL puts a copy on each node, so no join moves rows.
-- Past a few million rows choose DISTSTYLE KEY on the key instead: each copy costs disk and load time.
CREATE TABLE IF NOT EXISTS dim_user (
    user_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    email VARCHAR(255) ENCODE ZSTD,
    country VARCHAR(255) ENCODE ZSTD,
    created_at_user DATE ENCODE AZ64,
    inferred BOOLEAN ENCODE RAW NOT NULL,
    PRIMARY KEY (user_id)
)
DISTSTYLE ALL
COMPOUND SORTKEY (user_id);

CREATE TABLE IF NOT EXISTS dim_product (
    sku VARCHAR(255) ENCODE ZSTD NOT NULL,
    name VARCHAR(255) ENCODE ZSTD,
    category VARCHAR(255) ENCODE ZSTD,
    price DECIMAL(18,4) ENCODE AZ64,
    inferred BOOLEAN ENCODE RAW NOT NULL,
    PRIMARY KEY (sku)
)
DISTSTYLE ALL
COMPOUND SORTKEY (sku);

-- One row per (order_id, sku).
-- DISTKEY (order_id): an order's rows share a slice, so counting and summing per order, and replacing whole orders from
-- the staging table, move nothing; order ids are many and spread evenly. dt would put a day's load on one slice.
-- COMPOUND SORTKEY (dt, order_id): most questions name days, and late data lands in few blocks; within a day the
-- order's lines lie together. Interleaved keys would only pay without that leading date.
-- dt is the date of created_at_order in the output's time zone: the partition of the curated file. Redshift has no
-- partitions; sorting by dt does their work.
CREATE TABLE IF NOT EXISTS fact_order (
    order_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    sku VARCHAR(255) ENCODE ZSTD NOT NULL,
    user_id VARCHAR(255) ENCODE ZSTD,
    qty DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    item_price DECIMAL(18,4) ENCODE AZ64,
    line_amount DECIMAL(18,4) ENCODE AZ64,
    order_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    net_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    currency VARCHAR(255) ENCODE ZSTD,
    created_at_order TIMESTAMP ENCODE AZ64 NOT NULL,
    updated_at_order TIMESTAMP ENCODE AZ64 NOT NULL,
    status VARCHAR(255) ENCODE ZSTD,
    source VARCHAR(255) ENCODE ZSTD,
    promo VARCHAR(255) ENCODE ZSTD,
    user_country VARCHAR(255) ENCODE ZSTD,
    product_name VARCHAR(255) ENCODE ZSTD,
    product_category VARCHAR(255) ENCODE ZSTD,
    list_price DECIMAL(18,4) ENCODE AZ64,
    discount_amount DECIMAL(18,4) ENCODE AZ64,
    tax_amount DECIMAL(18,4) ENCODE AZ64,
    shipping_amount DECIMAL(18,4) ENCODE AZ64,
    refunded_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    cancelled BOOLEAN ENCODE RAW NOT NULL,
    dt DATE ENCODE RAW NOT NULL,
    PRIMARY KEY (order_id, sku),
    FOREIGN KEY (user_id) REFERENCES dim_user (user_id),
    FOREIGN KEY (sku) REFERENCES dim_product (sku)
)
DISTSTYLE KEY
DISTKEY (order_id)
COMPOUND SORTKEY (dt, order_id);

-- One row per (order_id, refund_id, sku); sku is null for what a refund does not name, so this key is UNIQUE and not
-- PRIMARY, which would make it NOT NULL. dt is that of the order. No foreign keys: an order has many rows, and a refund may
-- name a product that no order has. Placed like fact_order, so that joining an order's refunds moves nothing.
CREATE TABLE IF NOT EXISTS fact_refund (
    order_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    refund_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    sku VARCHAR(255) ENCODE ZSTD,
    qty DECIMAL(18,4) ENCODE AZ64,
    refund_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    currency VARCHAR(255) ENCODE ZSTD,
    refunded_at TIMESTAMP ENCODE AZ64 NOT NULL,
    dt DATE ENCODE RAW NOT NULL,
    UNIQUE (order_id, refund_id, sku)
)
DISTSTYLE KEY
DISTKEY (order_id)
COMPOUND SORTKEY (dt, order_id);

-- What COPY fills: the columns of the files in their order, and so without dt, which only the file's path carries and COPY
-- takes nothing from a path. The load below computes it from created_at_order.
CREATE TABLE IF NOT EXISTS fact_order_stage (
    order_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    sku VARCHAR(255) ENCODE ZSTD NOT NULL,
    user_id VARCHAR(255) ENCODE ZSTD,
    qty DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    item_price DECIMAL(18,4) ENCODE AZ64,
    line_amount DECIMAL(18,4) ENCODE AZ64,
    order_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    net_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    currency VARCHAR(255) ENCODE ZSTD,
    created_at_order TIMESTAMP ENCODE AZ64 NOT NULL,
    updated_at_order TIMESTAMP ENCODE AZ64 NOT NULL,
    status VARCHAR(255) ENCODE ZSTD,
    source VARCHAR(255) ENCODE ZSTD,
    promo VARCHAR(255) ENCODE ZSTD,
    user_country VARCHAR(255) ENCODE ZSTD,
    product_name VARCHAR(255) ENCODE ZSTD,
    product_category VARCHAR(255) ENCODE ZSTD,
    list_price DECIMAL(18,4) ENCODE AZ64,
    discount_amount DECIMAL(18,4) ENCODE AZ64,
    tax_amount DECIMAL(18,4) ENCODE AZ64,
    shipping_amount DECIMAL(18,4) ENCODE AZ64,
    refunded_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    cancelled BOOLEAN ENCODE RAW NOT NULL
)
DISTSTYLE KEY
DISTKEY (order_id)
COMPOUND SORTKEY (order_id);

CREATE TABLE IF NOT EXISTS fact_refund_stage (
    order_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    refund_id VARCHAR(255) ENCODE ZSTD NOT NULL,
    sku VARCHAR(255) ENCODE ZSTD,
    qty DECIMAL(18,4) ENCODE AZ64,
    refund_amount DECIMAL(18,4) ENCODE AZ64 NOT NULL,
    currency VARCHAR(255) ENCODE ZSTD,
    refunded_at TIMESTAMP ENCODE AZ64 NOT NULL
)
DISTSTYLE KEY
DISTKEY (order_id)
COMPOUND SORTKEY (order_id);

-- Loading
-- -------
-- 1. Bring the curated folder to S3 while no run writes it, after `ordersetl check` has said yes.
-- 2. Name the files. COPY takes every object whose key starts with the given text: 's3://BUCKET/curated/' would load
--    _manifest.json and the dimensions as orders, underscore or not. Three ways that do not:
--      's3://BUCKET/curated/dt='              every partition: the first load, or all of it again
--      's3://BUCKET/curated/dt=2025-08-20/'   one partition
--      a COPY manifest                        the partitions that changed: those whose sha256 in curated/_manifest.json
--                                             differs from the one at your last load. _manifest.json itself is not a COPY
--                                             manifest; write one such as
--      {"entries": [{"url": "s3://BUCKET/curated/dt=2025-08-20/fact_order.csv", "mandatory": true}]}
--    "mandatory" is false unless said, and then a missing file is no error. Refunds are under
--    's3://BUCKET/curated/fact_refund/dt=': of each day of orders that you load, load its refunds too, changed or not. Where
--    none of these days has any, leave that COPY out.
-- 3. Run this, with your bucket and your output's time zone, in one transaction: readers see all of the load or none.
--
-- ```sql
-- BEGIN;
-- LOCK fact_order_stage;
-- DELETE FROM fact_order_stage;
-- COPY fact_order_stage
-- FROM 's3://BUCKET/loads/fact_order.manifest' IAM_ROLE DEFAULT MANIFEST
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- DELETE FROM fact_refund_stage;
-- COPY fact_refund_stage
-- FROM 's3://BUCKET/loads/fact_refund.manifest' IAM_ROLE DEFAULT MANIFEST
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- DELETE FROM dim_user;
-- COPY dim_user
-- FROM 's3://BUCKET/curated/dim_user.csv' IAM_ROLE DEFAULT
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- DELETE FROM dim_product;
-- COPY dim_product
-- FROM 's3://BUCKET/curated/dim_product.csv' IAM_ROLE DEFAULT
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- CREATE TEMP TABLE loaded AS
-- SELECT DISTINCT order_id, CAST(created_at_order AT TIME ZONE 'UTC' AT TIME ZONE 'UTC' AS DATE) AS dt -- the second: yours
-- FROM fact_order_stage;
-- DELETE FROM fact_refund
-- WHERE order_id IN (SELECT order_id FROM loaded) OR dt IN (SELECT dt FROM loaded);
-- DELETE FROM fact_order
-- WHERE order_id IN (SELECT order_id FROM loaded) OR dt IN (SELECT dt FROM loaded);
-- INSERT INTO fact_order (
--     order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency,
--     created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category,
--     list_price, discount_amount, tax_amount, shipping_amount, refunded_amount, cancelled, dt
-- )
-- SELECT
--     s.order_id, s.sku, s.user_id, s.qty, s.item_price, s.line_amount, s.order_amount, s.net_amount, s.currency,
--     s.created_at_order, s.updated_at_order, s.status, s.source, s.promo, s.user_country, s.product_name,
--     s.product_category, s.list_price, s.discount_amount, s.tax_amount, s.shipping_amount, s.refunded_amount,
--     s.cancelled, l.dt
-- FROM fact_order_stage AS s
-- INNER JOIN loaded AS l ON l.order_id = s.order_id;
-- INSERT INTO fact_refund (order_id, refund_id, sku, qty, refund_amount, currency, refunded_at, dt)
-- SELECT s.order_id, s.refund_id, s.sku, s.qty, s.refund_amount, s.currency, s.refunded_at, l.dt
-- FROM fact_refund_stage AS s
-- INNER JOIN loaded AS l ON l.order_id = s.order_id;
-- DROP TABLE loaded;
-- COMMIT;
-- ```
--
-- Why so:
-- * Whole orders go and come back, and their refunds with them. MERGE on (order_id, sku) would update and insert, but it
--   cannot remove a line that the order no longer has. Deleting by order_id also clears the old day of an order whose
--   creation date moved; deleting by dt also clears an order that has left its day for good, deleted or emptied.
-- * Load all changed partitions in one go, so that an order that moved is never missing or seen twice. Of a partition file
--   that disappeared, delete the day: DELETE FROM fact_order WHERE dt = '2025-08-20', and fact_refund likewise.
-- * To start over (after `ordersetl load --rebuild`, say) copy every partition and drop both WHERE clauses.
-- * DELETE, not TRUNCATE: TRUNCATE commits at once and would show readers an empty table.
-- * LOCK: two loads at a time would mix in the staging tables. Nobody reads those, so nobody waits for the lock.
-- * EMPTYASNULL: in the files an empty field is null in every column, and no value is empty text; NULL AS '' would say
--   the same. TIMEFORMAT 'auto': the times have microseconds. No MAXERROR, TRUNCATECOLUMNS or ACCEPTINVCHARS: a row that
--   does not fit stops the load, as it should; sys_load_error_detail then names it.
-- * Afterwards compare COUNT(*), and SUM(net_amount) and SUM(refund_amount) by currency, with the rows and sums that
--   _manifest.json gives for the same files.

-- In place, with Redshift Spectrum or Athena
-- ------------------------------------------
-- The files can be queried where they are; Hive-style readers ignore names that start with "_" or ".". Only OpenCSVSerde
-- reads quoted fields, and it gives text alone (an empty field is '', not null): declare text, cast in the query. It
-- knows no line breaks inside quotes and takes a backslash for an escape; load the tables above where texts have those.
--
-- ```spectrum
-- CREATE EXTERNAL TABLE spectrum.fact_order_csv (
--     order_id VARCHAR(255),
--     sku VARCHAR(255),
--     user_id VARCHAR(255),
--     qty VARCHAR(255),
--     item_price VARCHAR(255),
--     line_amount VARCHAR(255),
--     order_amount VARCHAR(255),
--     net_amount VARCHAR(255),
--     currency VARCHAR(255),
--     created_at_order VARCHAR(255),
--     updated_at_order VARCHAR(255),
--     status VARCHAR(255),
--     source VARCHAR(255),
--     promo VARCHAR(255),
--     user_country VARCHAR(255),
--     product_name VARCHAR(255),
--     product_category VARCHAR(255),
--     list_price VARCHAR(255),
--     discount_amount VARCHAR(255),
--     tax_amount VARCHAR(255),
--     shipping_amount VARCHAR(255),
--     refunded_amount VARCHAR(255),
--     cancelled VARCHAR(255)
-- )
-- PARTITIONED BY (dt DATE)
-- ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
-- WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '"')
-- STORED AS TEXTFILE
-- LOCATION 's3://BUCKET/curated/'
-- TABLE PROPERTIES ('skip.header.line.count' = '1');
-- CREATE EXTERNAL TABLE spectrum.fact_refund_csv (
--     order_id VARCHAR(255),
--     refund_id VARCHAR(255),
--     sku VARCHAR(255),
--     qty VARCHAR(255),
--     refund_amount VARCHAR(255),
--     currency VARCHAR(255),
--     refunded_at VARCHAR(255)
-- )
-- PARTITIONED BY (dt DATE)
-- ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
-- WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '"')
-- STORED AS TEXTFILE
-- LOCATION 's3://BUCKET/curated/fact_refund/'
-- TABLE PROPERTIES ('skip.header.line.count' = '1');
-- ```
--
-- Each day is announced once, since partitions are not discovered:
--
-- ```sql
-- ALTER TABLE spectrum.fact_order_csv ADD IF NOT EXISTS
-- PARTITION (dt = '2025-08-20') LOCATION 's3://BUCKET/curated/dt=2025-08-20/';
-- SELECT
--     dt,
--     currency,
--     SUM(CAST(NULLIF(net_amount, '') AS DECIMAL(18,4))) AS revenue
-- FROM spectrum.fact_order_csv
-- WHERE dt >= '2025-08-01'
-- GROUP BY dt, currency;
-- ```
--
-- Athena takes the same table with STRING for VARCHAR(255), TBLPROPERTIES for TABLE PROPERTIES and a schema of its own;
-- there MSCK REPAIR TABLE finds the days. An external table reads a folder, and the dimensions share one: give each its
-- own prefix (s3://BUCKET/dim_user/dim_user.csv) to read them in place.
