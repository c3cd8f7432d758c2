"""A run from its start to its end: reports at their times, signals, and where text goes."""
