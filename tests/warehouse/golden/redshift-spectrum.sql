-- External tables over the curated files for Redshift Spectrum. Their schema has to be there:
--   CREATE EXTERNAL SCHEMA "spectrum" FROM DATA CATALOG DATABASE 'NAME' IAM_ROLE DEFAULT
--   CREATE EXTERNAL DATABASE IF NOT EXISTS;
-- Bring the files to S3 first: aws s3 sync OUTPUT/curated s3://BUCKET/PREFIX/curated --delete --exclude '_*'
CREATE EXTERNAL TABLE "spectrum".fact_order_csv (
    order_id VARCHAR(255),
    sku VARCHAR(255),
    user_id VARCHAR(255),
    qty VARCHAR(255),
    item_price VARCHAR(255),
    line_amount VARCHAR(255),
    order_amount VARCHAR(255),
    net_amount VARCHAR(255),
    currency VARCHAR(255),
    created_at_order VARCHAR(255),
    updated_at_order VARCHAR(255),
    status VARCHAR(255),
    source VARCHAR(255),
    promo VARCHAR(255),
    user_country VARCHAR(255),
    product_name VARCHAR(255),
    product_category VARCHAR(255),
    list_price VARCHAR(255),
    discount_amount VARCHAR(255),
    tax_amount VARCHAR(255),
    shipping_amount VARCHAR(255),
    refunded_amount VARCHAR(255),
    cancelled VARCHAR(255)
)
PARTITIONED BY (dt DATE)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '"')
STORED AS TEXTFILE
LOCATION 's3://BUCKET/PREFIX/curated/'
TABLE PROPERTIES ('skip.header.line.count' = '1');
CREATE EXTERNAL TABLE "spectrum".fact_refund_csv (
    order_id VARCHAR(255),
    refund_id VARCHAR(255),
    sku VARCHAR(255),
    qty VARCHAR(255),
    refund_amount VARCHAR(255),
    currency VARCHAR(255),
    refunded_at VARCHAR(255)
)
PARTITIONED BY (dt DATE)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '"')
STORED AS TEXTFILE
LOCATION 's3://BUCKET/PREFIX/curated/fact_refund/'
TABLE PROPERTIES ('skip.header.line.count' = '1');
ALTER TABLE "spectrum".fact_order_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-20') LOCATION 's3://BUCKET/PREFIX/curated/dt=2025-08-20/';
ALTER TABLE "spectrum".fact_order_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-21') LOCATION 's3://BUCKET/PREFIX/curated/dt=2025-08-21/';
ALTER TABLE "spectrum".fact_order_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-22') LOCATION 's3://BUCKET/PREFIX/curated/dt=2025-08-22/';
ALTER TABLE "spectrum".fact_order_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-23') LOCATION 's3://BUCKET/PREFIX/curated/dt=2025-08-23/';
ALTER TABLE "spectrum".fact_order_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-24') LOCATION 's3://BUCKET/PREFIX/curated/dt=2025-08-24/';
ALTER TABLE "spectrum".fact_order_csv ADD IF NOT EXISTS PARTITION (dt = '2025-09-01') LOCATION 's3://BUCKET/PREFIX/curated/dt=2025-09-01/';
ALTER TABLE "spectrum".fact_refund_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-21') LOCATION 's3://BUCKET/PREFIX/curated/fact_refund/dt=2025-08-21/';
ALTER TABLE "spectrum".fact_refund_csv ADD IF NOT EXISTS PARTITION (dt = '2025-08-22') LOCATION 's3://BUCKET/PREFIX/curated/fact_refund/dt=2025-08-22/';
