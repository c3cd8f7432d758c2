"""Tables of names: a subject a file, each with where its names come from."""
