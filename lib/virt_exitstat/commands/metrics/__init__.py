"""Commands whose output are metrics: written once, to a file at intervals, or served."""
