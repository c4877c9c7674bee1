"""The ledger as producers use it: rows, inserts, reads and results."""
