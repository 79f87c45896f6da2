"""The star schema: its tables, its dimensions, and its arithmetic on frames; how values of payloads are read."""
