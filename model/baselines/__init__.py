"""Plain methods that others are measured against."""
