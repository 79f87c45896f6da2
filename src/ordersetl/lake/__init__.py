"""How files are kept: layout, durable writes, the raw log, the staged cache, and the commit of the curated layer."""
