"""Reports made of counts: collapsed into rows, and the rows that are wanted chosen."""
