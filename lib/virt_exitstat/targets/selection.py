"""What the user wants counted, in the user's own words: names are not looked up yet."""

from __future__ import annotations

#: Where libvirt is asked when neither --connect nor the environment says so.
DEFAULT_URI = "qemu:///system"
