"""Where exits are counted: the kernel program chosen, loaded, attached and read."""
