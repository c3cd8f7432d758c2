"""Recordings: the program's own JSON read again, as the reports that it was written from."""
