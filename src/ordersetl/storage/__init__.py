"""How bytes are kept: durable steps on the local disk, and the lock."""
