"""Status: how an output is, read without the lock; what was rejected, and what became of one order."""
