"""What the command line can ask for, a verb a file."""
