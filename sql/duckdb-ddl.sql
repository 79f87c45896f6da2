-- The star schema for DuckDB. Here every key is enforced: a load that breaks one fails as a whole.
-- Loading a table is optional: DuckDB also reads the curated files in place (docs/data-dictionary.md shows how).

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

-- One row per (order_id, sku). dt comes from the path of the file: the day of the order's creation in the output's time
-- zone, which `ordersetl check` compares. A guest's user_id is null, which a foreign key lets pass.
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
    PRIMARY KEY (order_id, sku),
    FOREIGN KEY (user_id) REFERENCES dim_user (user_id),
    FOREIGN KEY (sku) REFERENCES dim_product (sku)
);

-- One row per (order_id, refund_id, sku). sku is null for what a refund does not name, so this key is UNIQUE and not
-- PRIMARY. dt is that of the order. No foreign keys: an order has many rows, and a refund may name a product that no
-- order has.
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

-- Loading the curated folder
-- --------------------------
-- Run this from the output folder, as often as you like: the tables are then what the files are.
--
-- * Every column is typed and nothing is guessed: the sniffer would read the id 007 as the number 7 and money as a float.
-- * The glob names its files in full. A bare *.csv would match hidden and underscored files as well.
-- * A glob over many files is no snapshot, a file cut short loses its rows silently and an empty one is skipped. So load
--   while no run writes, after `ordersetl check` has said yes.
-- * Dimensions first, so that every key resolves. Their keys never vanish: replacing rows is enough.
--
-- ```sql
-- BEGIN;
-- DELETE FROM fact_order;
-- DELETE FROM fact_refund;
-- INSERT OR REPLACE INTO dim_user BY NAME
-- SELECT * FROM read_csv(
--     'curated/dim_user.csv',
--     auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', nullstr = '',
--     columns = {
--         'user_id': 'VARCHAR', 'email': 'VARCHAR', 'country': 'VARCHAR', 'created_at_user': 'DATE',
--         'inferred': 'BOOLEAN'
--     }
-- );
-- INSERT OR REPLACE INTO dim_product BY NAME
-- SELECT * FROM read_csv(
--     'curated/dim_product.csv',
--     auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', nullstr = '',
--     columns = {
--         'sku': 'VARCHAR', 'name': 'VARCHAR', 'category': 'VARCHAR', 'price': 'DECIMAL(18,4)', 'inferred': 'BOOLEAN'
--     }
-- );
-- INSERT INTO fact_order BY NAME
-- SELECT * FROM read_csv(
--     'curated/dt=*/fact_order.csv',
--     auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', nullstr = '',
--     hive_partitioning = true, hive_types = {'dt': DATE},
--     columns = {
--         'order_id': 'VARCHAR', 'sku': 'VARCHAR', 'user_id': 'VARCHAR', 'qty': 'DECIMAL(18,4)',
--         'item_price': 'DECIMAL(18,4)', 'line_amount': 'DECIMAL(18,4)', 'order_amount': 'DECIMAL(18,4)',
--         'net_amount': 'DECIMAL(18,4)', 'currency': 'VARCHAR', 'created_at_order': 'TIMESTAMP',
--         'updated_at_order': 'TIMESTAMP', 'status': 'VARCHAR', 'source': 'VARCHAR', 'promo': 'VARCHAR',
--         'user_country': 'VARCHAR', 'product_name': 'VARCHAR', 'product_category': 'VARCHAR',
--         'list_price': 'DECIMAL(18,4)', 'discount_amount': 'DECIMAL(18,4)', 'tax_amount': 'DECIMAL(18,4)',
--         'shipping_amount': 'DECIMAL(18,4)', 'refunded_amount': 'DECIMAL(18,4)', 'cancelled': 'BOOLEAN'
--     }
-- );
-- INSERT INTO fact_refund BY NAME -- leave it out while no order has a refund: a glob that matches nothing is an error
-- SELECT * FROM read_csv(
--     'curated/fact_refund/dt=*/fact_refund.csv',
--     auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', nullstr = '',
--     hive_partitioning = true, hive_types = {'dt': DATE},
--     columns = {
--         'order_id': 'VARCHAR', 'refund_id': 'VARCHAR', 'sku': 'VARCHAR', 'qty': 'DECIMAL(18,4)',
--         'refund_amount': 'DECIMAL(18,4)', 'currency': 'VARCHAR', 'refunded_at': 'TIMESTAMP'
--     }
-- );
-- COMMIT;
-- ```
