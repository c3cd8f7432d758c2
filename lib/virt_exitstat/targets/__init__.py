"""What is to be counted, as values that know no door."""
