"""An instruction set a file: the names of its exit reasons, their slots, and where KVM keeps the reason of an exit."""
