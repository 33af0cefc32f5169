"""The queue process: rows in, adapter artifacts and rows out."""
