"""How a report is written: to text, a format a file."""
