"""Reports written as text: a format a file, and the columns that all of them share."""
