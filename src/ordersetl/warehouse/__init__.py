"""The curated layer as tables of a warehouse: DuckDB, PostgreSQL or Amazon Redshift, which follow it by difference."""
