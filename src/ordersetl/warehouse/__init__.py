"""Where tables go: DuckDB over the curated files."""
