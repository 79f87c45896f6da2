"""What files mean: layout, the raw log, the staged cache, the manifest, the commit of the curated layer, the index."""
