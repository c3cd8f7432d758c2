"""Metrics for Prometheus: readings added up since the start, as families of samples, as text."""
