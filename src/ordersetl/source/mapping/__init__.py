"""From a source's native records to orders of the generic API, by the mapping of its description."""
