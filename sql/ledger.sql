-- Which version of each curated file a warehouse holds: one row per file, relative to curated/, by its SHA-256. A load
-- writes it in the transaction that loads the files. The entry views.sql is that of the views, whose rows are 0.
CREATE TABLE IF NOT EXISTS ordersetl_load (
    file VARCHAR(255) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    rows BIGINT NOT NULL,
    loaded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (file)
);
