"""Tables of names that are arm64's: a subject a file, each with where its names come from."""
