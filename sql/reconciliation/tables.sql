-- What is kept of all pages until it is known which versions are current: one row per record, then of accepted ones alone
-- the rejected lines, rows by SKU and refunds by SKU.
CREATE TEMP TABLE validated_order (
    batch VARCHAR, page INTEGER, idx BIGINT, order_id VARCHAR, is_outside BOOLEAN, reason VARCHAR, is_gone BOOLEAN,
    version_at TIMESTAMP, created_at TIMESTAMP, amount DECIMAL(38, 4), currency VARCHAR, lines BIGINT, discount DECIMAL(38, 4),
    tax DECIMAL(38, 4), shipping DECIMAL(38, 4), cancelled BOOLEAN, user_id VARCHAR, status VARCHAR, source VARCHAR,
    promo VARCHAR, is_unparseable BOOLEAN
);
CREATE TEMP TABLE line_reject (batch VARCHAR, reason VARCHAR);
CREATE TEMP TABLE raw_line (
    batch VARCHAR, page INTEGER, idx BIGINT, sku VARCHAR, qty DECIMAL(38, 4), line_amount DECIMAL(38, 4),
    item_price DECIMAL(38, 4), discount DECIMAL(38, 4), tax DECIMAL(38, 4)
);
CREATE TEMP TABLE raw_refund (
    batch VARCHAR, page INTEGER, idx BIGINT, refund_id VARCHAR, sku VARCHAR, qty DECIMAL(38, 4), amount DECIMAL(38, 4),
    refunded_at TIMESTAMP
);
