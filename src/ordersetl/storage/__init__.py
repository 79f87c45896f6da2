"""How bytes are kept, and nothing of what they mean: named by keys, on the local disk, with a lock for one writer."""
