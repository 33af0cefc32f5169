"""The web side: Label Studio and people on one side, SQL and Redis on the other."""
