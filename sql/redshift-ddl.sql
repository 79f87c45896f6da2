-- The star schema for Amazon Redshift, and how to load the curated files into it.
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
-- dt is the UTC date of created_at_order: the partition of the curated file. Redshift has no partitions; sorting by dt
-- does their work.
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
    dt DATE ENCODE RAW NOT NULL,
    PRIMARY KEY (order_id, sku),
    FOREIGN KEY (user_id) REFERENCES dim_user (user_id),
    FOREIGN KEY (sku) REFERENCES dim_product (sku)
)
DISTSTYLE KEY
DISTKEY (order_id)
COMPOUND SORTKEY (dt, order_id);

-- What COPY fills: the columns of fact_order.csv in the order of the file, and so without dt, which only the file's path
-- carries and COPY takes nothing from a path. The INSERT below computes it from created_at_order.
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
    list_price DECIMAL(18,4) ENCODE AZ64
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
--                                             differs from the one at your last load. _manifest.json itself is no COPY
--                                             manifest; write one such as
--      {"entries": [{"url": "s3://BUCKET/curated/dt=2025-08-20/fact_order.csv", "mandatory": true}]}
--    "mandatory" is false unless said, and then a missing file is no error.
-- 3. Run this, with your bucket, in one transaction: readers see all of the load or none.
--
-- ```sql
-- BEGIN;
-- LOCK fact_order_stage;
-- DELETE FROM fact_order_stage;
-- COPY fact_order_stage
-- FROM 's3://BUCKET/loads/fact_order.manifest' IAM_ROLE DEFAULT MANIFEST
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- DELETE FROM dim_user;
-- COPY dim_user
-- FROM 's3://BUCKET/curated/dim_user.csv' IAM_ROLE DEFAULT
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- DELETE FROM dim_product;
-- COPY dim_product
-- FROM 's3://BUCKET/curated/dim_product.csv' IAM_ROLE DEFAULT
-- FORMAT CSV IGNOREHEADER 1 EMPTYASNULL DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' COMPUPDATE OFF;
-- DELETE FROM fact_order USING fact_order_stage WHERE fact_order.order_id = fact_order_stage.order_id;
-- INSERT INTO fact_order (
--     order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency,
--     created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category,
--     list_price, dt
-- )
-- SELECT
--     order_id, sku, user_id, qty, item_price, line_amount, order_amount, net_amount, currency,
--     created_at_order, updated_at_order, status, source, promo, user_country, product_name, product_category,
--     list_price, CAST(created_at_order AS DATE)
-- FROM fact_order_stage;
-- COMMIT;
-- ```
--
-- Why so:
-- * Whole orders go and come back. MERGE on (order_id, sku) would update and insert, but it cannot remove a line that the
--   order no longer has. Deleting by order_id also clears the old day of an order whose creation date moved; deleting by
--   dt would not.
-- * Load all changed partitions in one go, so that an order that moved is never missing or seen twice. A partition file
--   that disappeared needs nothing: its orders are in another file that changed.
-- * To start over (after `ordersetl load --rebuild`, say) copy every partition and drop the WHERE with its USING.
-- * DELETE, not TRUNCATE: TRUNCATE commits at once and would show readers an empty table.
-- * LOCK: two loads at a time would mix in the staging table. Nobody reads that, so nobody waits for the lock.
-- * EMPTYASNULL: in the files an empty field is null in every column, and no value is empty text; NULL AS '' would say
--   the same. TIMEFORMAT 'auto': the times have microseconds. No MAXERROR, TRUNCATECOLUMNS or ACCEPTINVCHARS: a row that
--   does not fit stops the load, as it should; sys_load_error_detail then names it.
-- * Afterwards compare COUNT(*), and SUM(net_amount) by currency, with the rows and sums that _manifest.json gives for
--   the same files.

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
--     list_price VARCHAR(255)
-- )
-- PARTITIONED BY (dt DATE)
-- ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
-- WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '"')
-- STORED AS TEXTFILE
-- LOCATION 's3://BUCKET/curated/'
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
