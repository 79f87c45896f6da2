"""Descriptions of sources: TOML files that say how a shop's API is asked, read and mapped."""
