"""Doors to this host: files, processes, packages, streams, limits. Nothing here knows KVM."""
