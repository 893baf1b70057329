"""What the client did: patterns over the journal, near misses, findings over sequences, exports."""
