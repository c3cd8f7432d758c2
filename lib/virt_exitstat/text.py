"""Foreign text (domain and process names, what libvirt says) made safe to show on a terminal."""

from __future__ import annotations


def escape(text: str) -> str:
    """The text with whatever a terminal would not print as itself (control characters, bidi marks) as `\\x1b`."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
