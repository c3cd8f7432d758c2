"""The command line: words to one value."""
