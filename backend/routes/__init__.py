"""The HTTP routes: Label Studio's ML API, the admin API, health and metrics."""
