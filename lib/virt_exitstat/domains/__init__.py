"""Where a domain becomes threads: libvirt asked, its records read, checked against /proc."""
