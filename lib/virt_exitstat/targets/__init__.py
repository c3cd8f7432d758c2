"""Targets of counting, as values that know no door: a selection, then processes and threads, then a filter."""
