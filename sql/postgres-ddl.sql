-- The star schema for PostgreSQL (12 or later), as `ordersetl load --warehouse postgresql://...` creates it.
--
-- Keys are enforced: a load that breaks one fails as a whole. Foreign keys hold too, as `ordersetl check` proves, and are
-- not declared: checking each row would take longer than the rest of a load.
-- VARCHAR has no limit here, and costs nothing by that. Times are UTC in TIMESTAMP, without a zone.
-- With ?partition=month the facts are PARTITION BY RANGE (dt), a partition a month, and dt is the last column of their key.

CREATE TABLE IF NOT EXISTS dim_user (
    user_id VARCHAR NOT NULL,
    email VARCHAR,
    country VARCHAR,
    created_at_user DATE,
    inferred BOOLEAN NOT NULL,
    PRIMARY KEY (user_id)
);

CREATE TABLE IF NOT EXISTS dim_product (
    sku VARCHAR NOT NULL,
    name VARCHAR,
    category VARCHAR,
    price DECIMAL(18,4),
    inferred BOOLEAN NOT NULL,
    PRIMARY KEY (sku)
);

-- One row per (order_id, sku). dt is the day of the order's creation in the output's time zone, from the path of the file.
-- The index on dt serves questions that name days, and each load, which replaces days.
CREATE TABLE IF NOT EXISTS fact_order (
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

CREATE INDEX IF NOT EXISTS fact_order_dt ON fact_order (dt);

-- One row per (order_id, refund_id, sku). sku is null for what a refund does not name, so this key is UNIQUE and not
-- PRIMARY. dt is that of the order.
CREATE TABLE IF NOT EXISTS fact_refund (
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

CREATE INDEX IF NOT EXISTS fact_refund_dt ON fact_refund (dt);
