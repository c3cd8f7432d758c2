"""A small web server for one thread: it serves what is ready and never waits, whatever its clients do."""
