"""Counts as values, the layout they have in the kernel, and the interface of a counter."""
