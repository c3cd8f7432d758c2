"""What is asked of metrics. The command line has it too, and each start pays for what it imports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """Metrics that are told only where they are wanted: by vCPU, the histogram, the domains' other names."""

    per_vcpu: bool = False
    histogram: bool = False
    domain_info: bool = False
