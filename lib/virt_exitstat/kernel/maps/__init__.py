"""The maps that the kernel program and this one share: made, read, and their rows handed out and taken back."""
