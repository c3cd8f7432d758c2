"""Where a report is made: counts to rows, the rows that are wanted."""
