"""Commands: a verb a file."""
