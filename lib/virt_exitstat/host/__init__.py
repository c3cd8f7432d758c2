"""What this host gives: files, processes, packages, streams. Doors to it, and nothing about KVM."""
