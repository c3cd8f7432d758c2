"""A run from its start to its end: the loop, its session, reports at their times, signals, and sinks of text."""
