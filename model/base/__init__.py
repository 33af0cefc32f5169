"""Base models: the catalogue of frozen networks, how they are fetched, verified and loaded."""
