"""Exits counted in the kernel: the program is chosen, loaded, attached and read here."""
