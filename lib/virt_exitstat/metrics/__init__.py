"""Metrics for Prometheus: reports added up since the start, as families of samples, as text."""
