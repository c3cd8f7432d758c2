"""The numbers of a comparison for programs, the same in JSON and CSV."""

from __future__ import annotations


def rounded(value: float | None) -> float | None:
    """Six significant digits, however small the number is, as a p may be; all digits before the point."""
    if value is None:
        return None
    return float(f"{value:.6g}" if abs(value) < 1e5 else f"{value:.0f}")
