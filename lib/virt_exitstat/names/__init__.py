"""Names of what exits are about: registers, ports, memory, calls, vectors; tables and where each comes from."""
